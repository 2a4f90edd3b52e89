import AuthKeys
import ControlBodies
import HTTPTypes
import Hummingbird
import KeyAdministration

/// Serves `/healthz`, which shows that the process responds, and `/readyz`, which shows whether keys can be verified.
struct HealthRoutes {
    let freshness: IndexFreshness
    let index: KeyIndex
    let writes: WriteAvailability
    /// The start time of the process.
    let startedAt: Timestamp

    func add(to router: Router<ControlContext>) {
        router.get("healthz") { _, _ in
            try JSONBody.response(HealthJSON(status: "alive", service: HealthJSON.controlListener))
        }
        router.get("readyz", use: ready)
    }

    private func ready(_ request: Request, _ context: ControlContext) async throws -> Response {
        let isReadOnly = writes.isReadOnly
        let indexStatus = freshness.status
        let status = indexStatus == .ready && isReadOnly ? .degraded : indexStatus
        var health = HealthJSON(status: status.rawValue)
        health.reason = isReadOnly ? "database_read_only" : nil
        health.indexAgeSeconds = freshness.age.map { ($0 / .milliseconds(1)).rounded() / 1_000 }
        health.keys = index.count
        health.version = KeywardVersion.current
        health.startedAt = startedAt.description
        return try JSONBody.response(health, status: status == .unavailable ? .serviceUnavailable : .ok)
    }
}
