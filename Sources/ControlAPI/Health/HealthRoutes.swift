import AuthKeys
import HTTPTypes
import Hummingbird

/// `/healthz`: the process answers. `/readyz`: keys can be verified.
struct HealthRoutes {
    let freshness: IndexFreshness
    let index: KeyIndex

    func add(to router: Router<ControlContext>) {
        router.get("healthz") { _, _ in try JSONBody.response(["status": "alive"]) }
        router.get("readyz", use: ready)
    }

    private struct Readiness: Encodable {
        let status: String
        let indexAgeSeconds: Double?
        let keys: Int

        enum CodingKeys: String, CodingKey {
            case status, keys
            case indexAgeSeconds = "index_age_seconds"
        }
    }

    private func ready(_ request: Request, _ context: ControlContext) async throws -> Response {
        let standing = freshness.standing
        let age = freshness.age.map { ($0 / .milliseconds(1)).rounded() / 1_000 }
        return try JSONBody.response(
            Readiness(status: standing.rawValue, indexAgeSeconds: age, keys: index.count),
            status: standing == .unavailable ? .serviceUnavailable : .ok)
    }
}
