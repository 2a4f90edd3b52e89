public import LibPQ
public import Logging
import Synchronization

/// Makes partitions of the log ahead, and deletes what exceeds the limits of the log (`request_log_tend`).
///
/// Every instance has one. An advisory lock lets one work at a time.
public final class RequestLogTender: Sendable {
    private struct State {
        var bytes: Int64?
        var isFailing = false
    }

    /// The time between two runs.
    private static let interval = Duration.seconds(600)
    /// The time after which an incomplete run is repeated.
    private static let retryInterval = Duration.seconds(60)
    /// The time between two calls of the function, in which waiting writers proceed.
    private static let pause = Duration.milliseconds(50)
    /// The number of days for which partitions are made ahead.
    private static let daysAhead: Int32 = 2
    /// The maximum number of calls in a run.
    private static let callsPerRun = 1_000

    private let pool: PostgresPool
    private let retention: RequestLogRetention
    private let logger: Logger
    private let state = Mutex(State())

    public init(pool: PostgresPool, retention: RequestLogRetention, logger: Logger) {
        self.pool = pool
        self.retention = retention
        self.logger = logger
    }

    /// The size of all partitions at the last run of this instance; nil before it.
    public var bytes: Int64? { state.withLock { $0.bytes } }

    /// Tends at once and every 10 minutes, until the task is cancelled.
    public func run() async {
        while !Task.isCancelled {
            let isComplete = await tend()
            guard (try? await Task.sleep(for: isComplete ? Self.interval : Self.retryInterval)) != nil else { return }
        }
    }

    /// Tends once. Returns false if something was left that has to be retried.
    public func tend() async -> Bool {
        do throws(PostgresError) {
            var dropped: Int32 = 0
            defer {
                if dropped > 0 {
                    logger.info(
                        "old lines of the request log were deleted",
                        metadata: ["partitions": .stringConvertible(dropped)])
                }
            }
            for _ in 0..<Self.callsPerRun {
                // Another session does it.
                guard let result = try await call() else { return true }
                dropped += result.dropped
                state.withLock { $0.bytes = result.bytes }
                note(problem: result.problem)
                if result.refused > 0 || result.problem != nil { return false }
                if !result.isBehind { return true }
                guard (try? await Task.sleep(for: Self.pause)) != nil else { return false }
            }
            return false
        } catch {
            // The writer logs that the database is away.
            if !error.isUnavailable, error.kind != .cancelled, error.kind != .poolClosed { note(problem: "\(error)") }
            return false
        }
    }

    private struct Result {
        let dropped: Int32
        let refused: Int32
        let isBehind: Bool
        let bytes: Int64
        let problem: String?
    }

    /// Calls the function. Returns nil if another session runs it.
    private func call() async throws(PostgresError) -> Result? {
        let result = try await pool.query(
            """
            SELECT dropped, refused, is_behind, bytes, coalesce(problem, '') FROM request_log_tend($1, $2, $3)
            WHERE made IS NOT NULL
            """,
            [.int32(Self.daysAhead), .int32(Int32(clamping: retention.days)), .int64(Int64(retention.bytes))])
        guard let row = result.rows.first else { return nil }
        let problem = try row.text(4)
        return Result(
            dropped: try row.int32(0), refused: try row.int32(1), isBehind: try row.bool(2), bytes: try row.int64(3),
            problem: problem.isEmpty ? nil : problem)
    }

    /// Logs the first of consecutive problems.
    private func note(problem: String?) {
        let isNew = state.withLock { state in
            defer { state.isFailing = problem != nil }
            return !state.isFailing
        }
        guard let problem, isNew else { return }
        logger.warning("the request log cannot be tended", metadata: ["error": "\(problem)"])
    }
}
