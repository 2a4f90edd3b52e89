/// The position of a reader in the change feed, with what a later read needs to prove that the database still has the same past.
///
/// PostgreSQL's past can change: a crash gives out transaction ids again, a restore or a failover takes commits back. So a position
/// alone proves nothing across two reads.
public struct Watermark: Sendable, Equatable {
    /// The identity of the cluster, its timeline, the database and its tables. A position of another history means nothing.
    public let history: String
    /// The oldest transaction that was under way: all changes of older ones have been read.
    public private(set) var position: UInt64
    /// The checkpoint from which a crash recovery would have started.
    public let checkpoint: Checkpoint
    /// The write-ahead log up to here was durable: no crash shortens it. In bytes.
    public let durableLog: UInt64
    /// The start of the server process. Each start follows a new checkpoint.
    public let serverStart: String
    /// The database session that the read ran in. No server process survives a crash of the server.
    public let session: String
    /// The newest epoch; nil where the database keeps none.
    public let epoch: FeedEpoch?

    /// A checkpoint of the cluster (`pg_control_checkpoint`).
    public struct Checkpoint: Sendable, Equatable {
        /// Its identity: no two checkpoints of a cluster share it.
        public let name: String
        /// The next transaction id at that checkpoint. A crash never gives out older ids again, since a recovery begins at this
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

    /// The same reader, further back.
    public func rewound(to position: UInt64) -> Watermark {
        var watermark = self
        watermark.position = min(position, self.position)
        return watermark
    }
}

/// A random mark that instances leave in the database once a minute. A database that was restored or rolled back lacks the newest.
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
        /// Load all keys again, and believe the database where it revives a key.
        case acceptDatabase
    }

    /// The position after this read.
    public let watermark: Watermark
    /// A lower bound of the next transaction id, never below the last checkpoint's.
    public let nextTransaction: UInt64
    /// Whether the epoch of the earlier watermark is still in the database.
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
    /// The read has all that changed since.
    case continues
    /// PostgreSQL may have recovered from a crash in between and given out ids again: the read has all that changed only if it
    /// began at this position or before it.
    case rereads(from: UInt64)
    /// The database has another past. Only a full load helps.
    case broken(Break)

    public enum Break: String, Sendable {
        /// Another cluster, timeline, database or table.
        case replaced = "the database or its tables were replaced"
        /// What was durable is gone: transaction ids, log, or a checkpoint.
        case wentBack = "the database went back behind what was durable"
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
        // A server that was stopped left a new checkpoint, as does each recovery. An old one comes from an old copy.
        if later.checkpoint == checkpoint, later.serverStart != serverStart { return .broken(.wentBack) }
        // Without a recovery in between, ids only grow. No session survives one.
        if later.checkpoint == checkpoint || later.session == session && !session.isEmpty {
            return later.position >= position ? .continues : .broken(.wentBack)
        }
        return .rereads(from: min(position, checkpoint.nextTransaction))
    }
}

/// The result of one read of the changes.
public struct ChangeBatch: Sendable, Equatable {
    public let reading: FeedReading
    /// Entries handed over.
    public let count: Int
    /// Rows that cannot be decoded and were left out.
    public let skipped: Int

    public var watermark: Watermark { reading.watermark }

    public init(reading: FeedReading, count: Int, skipped: Int) {
        self.reading = reading
        self.count = count
        self.skipped = skipped
    }
}
