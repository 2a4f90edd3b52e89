import AuthKeys
import AuthKeysPostgres
import LibPQ

/// The check of the running instances by `keyward doctor`. An instance of another version may not know attributes of
/// keys that this version knows, such as limits, and admits their requests.
struct InstanceExamination {
    func run(on connection: PostgresConnection, _ report: inout DoctorReport) async throws {
        let check = "instances"
        let live = try await PostgresInstances.live(on: connection)
        let others = live.filter { $0.version != KeywardVersion.current }
        guard !others.isEmpty else {
            return report.pass(check, live.isEmpty ? "none is running" : "\(live.count) running, all of this version")
        }
        for instance in others {
            report.warn(
                check,
                "\(instance.name) runs version \(instance.version), not \(KeywardVersion.current): set limits, and what else is new, when all instances have one version"
            )
        }
    }
}
