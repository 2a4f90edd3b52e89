/// The state of an instance. The response of `/healthz` has only `status` and `service`; that of `/readyz` has all
/// other members.
package struct HealthJSON: Codable, Sendable {
    /// The name by which a control listener identifies itself in the response of `/healthz`.
    ///
    /// Clients check it before they send an admin key, because another server would learn the key.
    package static let controlListener = "keyward-control"

    package let status: String
    package let service: String?
    package var reason: String?
    package var indexAgeSeconds: Double?
    package var keys: Int?
    package var version: String?
    package var startedAt: String?

    enum CodingKeys: String, CodingKey {
        case status, service, reason, keys, version
        case indexAgeSeconds = "index_age_seconds"
        case startedAt = "started_at"
    }

    package init(status: String, service: String? = nil) {
        self.status = status
        self.service = service
    }
}
