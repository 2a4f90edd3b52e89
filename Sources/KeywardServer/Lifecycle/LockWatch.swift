import AuthKeysPostgres
import LibPQ
import Logging

/// A watch that logs the lock for which a start waits, and the session that holds it. No listener is up during the
/// start, so the log is the operator's only source.
struct LockWatch: Sendable {
    /// The time after which the watch begins to look for locks.
    static let delay = Duration.seconds(3)
    /// The time between two queries. A migration waits for its locks in short attempts, so one query may find no wait.
    private static let interval = Duration.milliseconds(500)
    private static let repetition = Duration.seconds(30)

    let target: PostgresTarget
    let logger: Logger

    /// Runs `body`, and logs the locks for which it waits.
    func watching<R: Sendable>(_ body: () async throws -> R) async throws -> R {
        let watch = Task { try await run() }
        defer { watch.cancel() }
        return try await body()
    }

    private func run() async throws {
        try await Task.sleep(for: Self.delay)
        // The start itself logs while it waits for the database.
        let connection = try await PostgresConnection.connect(
            to: target, settings: DatabasePreconditions.connectionSettings, retryingFor: .seconds(86_400),
            logger: Logger(label: "lock watch") { _ in SwiftLogNoOpLogHandler() })
        var last: (wait: LockWait, at: ContinuousClock.Instant)?
        while !Task.isCancelled, connection.isUsable {
            let isReported = last.map { .now - $0.at < Self.repetition } ?? false
            if let wait = try? await LockWait.all(on: connection).first,
                !isReported || last?.wait.isSame(as: wait) != true
            {
                log(wait)
                last = (wait, .now)
            }
            try? await Task.sleep(for: Self.interval)
        }
        await connection.close()
    }

    private func log(_ wait: LockWait) {
        var metadata: Logger.Metadata = [
            "locked": "\(wait.object)", "mode": "\(wait.mode)", "held_by_pid": .stringConvertible(wait.holder),
            "held_by_role": "\(wait.role)", "held_by_application": "\(wait.application)", "state": "\(wait.state)",
        ]
        if let seconds = wait.seconds { metadata["transaction_seconds"] = "\(seconds)" }
        logger.warning(
            "the start is delayed: a session of Keyward waits for a lock that another session holds",
            metadata: metadata)
    }
}

extension LockWait {
    fileprivate func isSame(as other: LockWait) -> Bool { object == other.object && holder == other.holder }
}
