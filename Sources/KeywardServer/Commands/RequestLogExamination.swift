import LibPQ
import RequestLogPostgres

/// The check of the request log by `keyward doctor`.
struct RequestLogExamination {
    let settings: RequestLogSettings

    func run(on connection: PostgresConnection, _ report: inout DoctorReport) async throws {
        let check = "request log"
        guard settings.mode == .on else { return report.pass(check, "\(Setting.requestLog.environment) turns it off") }
        guard let status = try await RequestLogStatus(on: connection) else {
            return report.warn(check, "the table request_log is missing: lines wait in memory, and are then dropped")
        }
        guard status.mayTend else {
            return report.fail(
                check,
                "the role may not run request_log_tend, which makes and deletes its partitions: run 'keyward migrate grants ROLE --apply' as the owner"
            )
        }
        if status.partitions == 0 { return report.pass(check, "empty: serve makes its partitions at start") }
        if !status.hasToday {
            report.warn(check, "there is no partition for today, which a running Keyward makes before it writes a line")
        }
        report.pass(
            check,
            "\(Self.megabytes(status.bytes)) in \(status.partitions) partitions, about \(status.linesPerDay) lines and \(Self.megabytes(status.bytesPerDay)) a day; \(text(status.horizon(settings.retention)))"
        )
    }

    private func text(_ horizon: RequestLogStatus.Horizon) -> String {
        switch horizon {
        case .unlimited: "nothing is deleted"
        case .age(let days): "lines are deleted after \(days) days, within the limit of \(limit)"
        case .size(let days, let left):
            "the limit of \(limit) holds about \(Self.oneDigit(days)) days, and deletes lines \(left > 0 ? "in \(Self.oneDigit(left)) days" : "now")"
        }
    }

    private var limit: String {
        settings.retention.bytes > 0 ? Self.megabytes(Int64(settings.retention.bytes)) : "no size"
    }

    private static func megabytes(_ bytes: Int64) -> String { "\((bytes + 500_000) / 1_000_000) MB" }

    private static func oneDigit(_ value: Double) -> String {
        let tenths = Int(min(value, 1e9) * 10)
        return "\(tenths / 10).\(tenths % 10)"
    }
}
