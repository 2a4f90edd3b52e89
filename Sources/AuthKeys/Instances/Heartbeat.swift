/// The position of an instance in the change feed.
public struct InstanceProgress: Equatable, Sendable {
    /// All changes of transactions before this one are in the index; nil before the first load.
    public let applied: UInt64?
    /// The time since the start of the last successful read of the changes; nil before the first.
    public let indexAge: Duration?

    public init(applied: UInt64?, indexAge: Duration?) {
        self.applied = applied
        self.indexAge = indexAge
    }
}

/// The state that an instance reports about itself every few seconds.
public struct Heartbeat: Equatable, Sendable {
    public let identity: InstanceIdentity
    /// The time since the start of the process. The database computes the time of the start from it, because the clock
    /// of the instance may be wrong.
    public let uptime: Duration
    public let progress: InstanceProgress
    /// A JSON object of at most `figureLimit` bytes.
    public let figures: String

    /// The maximum size of the figures. PostgreSQL adds a space after each colon and comma, and accepts twice as much.
    public static let figureLimit = 8_192

    public init(identity: InstanceIdentity, uptime: Duration, progress: InstanceProgress, figures: String = "{}") {
        self.identity = identity
        self.uptime = uptime
        self.progress = progress
        self.figures = figures
    }
}

/// An instance as the database knows it. All times are of the database's clock.
public struct InstanceRecord: Equatable, Sendable {
    public let identity: InstanceIdentity
    public let startedAt: Timestamp
    /// The time of the last heartbeat.
    public let seenAt: Timestamp
    /// True until `InstanceHeartbeat.liveTime` after the last heartbeat.
    public let isLive: Bool
    /// The position at the last heartbeat.
    public let progress: InstanceProgress
    /// The number of changes of keys that were committed before the last heartbeat, and that the instance had not read
    /// then, up to `lagLimit`; nil if it had loaded no keys.
    public let lag: Int?
    /// A JSON object: the figures at the last heartbeat.
    public let figures: String

    /// The highest `lag`. A higher one is not counted.
    public static let lagLimit = 1_000

    public init(
        identity: InstanceIdentity, startedAt: Timestamp, seenAt: Timestamp, isLive: Bool, progress: InstanceProgress,
        lag: Int?, figures: String
    ) {
        self.identity = identity
        self.startedAt = startedAt
        self.seenAt = seenAt
        self.isLive = isLive
        self.progress = progress
        self.lag = lag
        self.figures = figures
    }
}
