import AuthKeys
import HTTPTypes
import Hummingbird

/// Serves `/healthz`, which shows that the process responds, and `/readyz`, which shows whether keys can be verified.
struct HealthRoutes {
    let freshness: IndexFreshness
    let index: KeyIndex
    let writes: WriteAvailability
    /// The start time of the process.
    let startedAt: Timestamp

    func add(to router: Router<ControlContext>) {
        router.get("healthz") { _, _ in try JSONBody.response(["service": ListenerIdentity.service, "status": "alive"])
        }
        router.get("readyz", use: ready)
    }

    private struct Readiness: Encodable {
        let status: String
        let reason: String?
        let indexAgeSeconds: Double?
        let keys: Int
        let version: String
        let startedAt: String

        enum CodingKeys: String, CodingKey {
            case status, reason, keys, version
            case startedAt = "started_at"
            case indexAgeSeconds = "index_age_seconds"
        }
    }

    private func ready(_ request: Request, _ context: ControlContext) async throws -> Response {
        let age = freshness.age.map { ($0 / .milliseconds(1)).rounded() / 1_000 }
        let isReadOnly = writes.isReadOnly
        let indexStatus = freshness.status
        let status = indexStatus == .ready && isReadOnly ? .degraded : indexStatus
        return try JSONBody.response(
            Readiness(
                status: status.rawValue, reason: isReadOnly ? "database_read_only" : nil, indexAgeSeconds: age,
                keys: index.count, version: KeywardVersion.current, startedAt: startedAt.description),
            status: status == .unavailable ? .serviceUnavailable : .ok)
    }
}
