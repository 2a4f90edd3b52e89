/// The position of a reader in the change feed. It includes the evidence with which a later read proves that the
/// database still has the same past.
///
/// PostgreSQL's past can change: a crash reissues transaction ids; a restore or a failover undoes commits. So a
/// position alone proves nothing across two reads.
public struct Watermark: Sendable, Equatable {
    /// The identity of the cluster, its timeline, the database and its tables. A position in another history means
    /// nothing.
    public let history: String
    /// The oldest transaction that was in progress. All changes of older ones have been read.
    public private(set) var position: UInt64
    /// The checkpoint from which a crash recovery would have started.
    public let checkpoint: Checkpoint
    /// The position in the write-ahead log, in bytes, up to which it was durable. No crash shortens it below that.
    public let durableLog: UInt64
    /// The start of the server process. Each start follows a new checkpoint.
    public let serverStart: String
    /// The database session of the read. No server process survives a crash of the server.
    public let session: String
    /// The newest epoch; nil if the database has none.
    public let epoch: FeedEpoch?

    /// A checkpoint of the cluster (`pg_control_checkpoint`).
    public struct Checkpoint: Sendable, Equatable {
        /// Its identity: no two checkpoints of a cluster share it.
        public let name: String
        /// The next transaction id at that checkpoint. A crash never reissues older ids, since recovery begins at this
        /// checkpoint or a later one.
        public let nextTransaction: UInt64

        public init(name: String, nextTransaction: UInt64) {
            self.name = name
            self.nextTransaction = nextTransaction
        }

        /// The checkpoint of a store that cannot crash.
        public static let none = Checkpoint(name: "", nextTransaction: 0)
    }

    public init(
        history: String, position: UInt64, checkpoint: Checkpoint = .none, durableLog: UInt64 = 0,
        serverStart: String = "", session: String = "", epoch: FeedEpoch? = nil
    ) {
        self.durableLog = durableLog
        self.serverStart = serverStart
        self.history = history
        self.position = position
        self.checkpoint = checkpoint
        self.session = session
        self.epoch = epoch
    }

    /// Returns the watermark of the same reader at an earlier position.
    public func rewound(to position: UInt64) -> Watermark {
        var watermark = self
        watermark.position = min(position, self.position)
        return watermark
    }
}

/// A random mark that instances write into the database once a minute. A database that was restored or rolled back
/// lacks the newest.
public struct FeedEpoch: Sendable, Equatable {
    public let number: Int64
    /// A UUID.
    public let name: String

    public init(number: Int64, name: String) {
        self.number = number
        self.name = name
    }
}

/// The state of the database in one read of the feed.
public struct FeedReading: Sendable, Equatable {
    /// An order that an operator left in the database for all instances.
    public enum Order: Sendable, Equatable {
        /// Load all keys again.
        case resync
        /// Load all keys again, and accept the database where it reactivates a key.
        case acceptDatabase
    }

    /// The position after this read.
    public let watermark: Watermark
    /// A lower bound of the next transaction id, never below that of the last checkpoint.
    public let nextTransaction: UInt64
    /// True if the database still has the epoch of the earlier watermark.
    public let knowsEarlierEpoch: Bool
    /// The strongest order since the earlier watermark.
    public let order: Order?

    public init(
        watermark: Watermark, nextTransaction: UInt64, knowsEarlierEpoch: Bool = true, order: Order? = nil
    ) {
        self.watermark = watermark
        self.nextTransaction = nextTransaction
        self.knowsEarlierEpoch = knowsEarlierEpoch
        self.order = order
    }
}

/// The relation of a read to the one before it.
public enum FeedContinuity: Sendable, Equatable {
    /// The read has all changes since the earlier one.
    case continues
    /// PostgreSQL may have recovered from a crash in between and reissued ids. The read has all changes only if it
    /// began at this position or earlier.
    case rereads(from: UInt64)
    /// The database has another past. Only a full load helps.
    case broken(Break)

    public enum Break: String, Sendable {
        /// Another cluster, timeline, database or table.
        case replaced = "the database or its tables were replaced"
        /// Durable state is gone: transaction ids, log, or a checkpoint.
        case wentBack = "the database went back to a state before a durable one"
        /// The newest epoch is gone.
        case epochGone = "a mark that instances left in the database is gone"
        /// An earlier read failed between its rows, and the database may have gone back since.
        case torn = "a read broke off between its rows"
    }
}

extension Watermark {
    /// Compares a later read with this position.
    public func continuity(to reading: FeedReading) -> FeedContinuity {
        let later = reading.watermark
        if later.history != history { return .broken(.replaced) }
        if reading.nextTransaction < checkpoint.nextTransaction || later.durableLog < durableLog {
            return .broken(.wentBack)
        }
        if !reading.knowsEarlierEpoch { return .broken(.epochGone) }
        // A server that was stopped wrote a new checkpoint, as does each recovery. An old checkpoint comes from an old
        // copy.
        if later.checkpoint == checkpoint, later.serverStart != serverStart { return .broken(.wentBack) }
        // Without a recovery in between, ids only grow. No session survives a recovery.
        if later.checkpoint == checkpoint || later.session == session && !session.isEmpty {
            return later.position >= position ? .continues : .broken(.wentBack)
        }
        return .rereads(from: min(position, checkpoint.nextTransaction))
    }
}

/// The result of one read of the changes.
public struct ChangeBatch: Sendable, Equatable {
    public let reading: FeedReading
    /// The number of applied entries.
    public let count: Int
    /// The number of rows that could not be decoded and were left out.
    public let skipped: Int

    public var watermark: Watermark { reading.watermark }

    public init(reading: FeedReading, count: Int, skipped: Int) {
        self.reading = reading
        self.count = count
        self.skipped = skipped
    }
}
