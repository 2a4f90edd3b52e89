public import Logging

extension PostgresConnection {
    /// Connects, and retries while the database is unreachable, until the time limit. There is no retry if only a
    /// change of the settings or of the server can help (`isRefusedForGood`). The last attempt is made when the time is
    /// over.
    /// - Throws: `PostgresError`, or `CancellationError` if the task is cancelled between two attempts.
    public static func connect(
        to target: PostgresTarget, settings: ConnectionSettings = .init(), retryingFor limit: Duration, logger: Logger
    ) async throws -> PostgresConnection {
        let deadline = ContinuousClock.now + limit
        var settings = settings
        let longest = settings.connectTimeout
        var pause = Duration.milliseconds(100)
        while true {
            do {
                return try await connect(to: target, settings: settings, logger: logger)
            } catch {
                guard error.isUnavailable || error.isRetryable, !error.isRefusedForGood, .now < deadline else {
                    throw error
                }
                logger.info("waiting for the database", metadata: ["error": "\(error)"])
            }
            try await Task.sleep(for: max(.zero, min(pause, deadline - .now)))
            settings.connectTimeout = min(longest, max(.seconds(1), deadline - .now))
            pause = min(pause * 2, .seconds(2))
        }
    }
}
