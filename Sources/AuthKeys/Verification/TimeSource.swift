/// A source of time: the system's clocks, or a test's.
public struct TimeSource: Sendable {
    /// The time of day.
    public let now: @Sendable () -> Timestamp
    /// Monotonic time from an arbitrary start.
    public let uptime: @Sendable () -> Duration
    /// Sleeps; throws early if the task is cancelled.
    public let sleep: @Sendable (Duration) async throws -> Void

    public init(
        now: @escaping @Sendable () -> Timestamp, uptime: @escaping @Sendable () -> Duration,
        sleep: @escaping @Sendable (Duration) async throws -> Void
    ) {
        self.now = now
        self.uptime = uptime
        self.sleep = sleep
    }

    /// The system's clocks.
    public static let system: TimeSource = {
        let start = ContinuousClock.now
        return TimeSource(
            now: { .now },
            uptime: { ContinuousClock.now - start },
            sleep: { try await Task.sleep(for: $0) })
    }()
}
