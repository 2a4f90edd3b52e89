public import Logging

extension PostgresConnection {
    /// Connects. While the database cannot be reached, tries again until the time is over; not where only somebody's hand would
    /// help (`isRefusedForGood`).
    /// - Throws: `PostgresError`, or `CancellationError` where the task is cancelled between two attempts.
    public static func connect(
        to target: PostgresTarget, retryingFor limit: Duration, logger: Logger
    ) async throws -> PostgresConnection {
        let deadline = ContinuousClock.now + limit
        var pause = Duration.milliseconds(100)
        while true {
            do {
                return try await connect(to: target, logger: logger)
            } catch {
                guard error.isUnavailable || error.isRetryable, !error.isRefusedForGood,
                    ContinuousClock.now + pause < deadline
                else { throw error }
                logger.info("waiting for the database", metadata: ["error": "\(error)"])
            }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, .seconds(2))
        }
    }
}
