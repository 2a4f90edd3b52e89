import Crypto

/// A link of the chain: SHA-256 of the previous link, of this link's own fields, and of the event.
public struct AuditSeal: Sendable, Equatable {
    /// Counted from 1, without gaps.
    public let sequence: Int64
    public let event: Int64
    public let hash: SecretDigest
    public let at: Timestamp
    /// All events of transactions before this one are sealed, by this link or an earlier one.
    public let horizon: UInt64
    /// The identity of the cluster: transaction ids start again in another one.
    public let history: String

    public init(sequence: Int64, event: Int64, hash: SecretDigest, at: Timestamp, horizon: UInt64, history: String) {
        self.sequence = sequence
        self.event = event
        self.hash = hash
        self.at = at
        self.horizon = horizon
        self.history = history
    }

    /// Seals an event.
    /// - Parameter previous: the hash of the previous link; nil for the first.
    public init(
        _ event: AuditEvent, sequence: Int64, at: Timestamp, horizon: UInt64, history: String, previous: SecretDigest?
    ) {
        let hash = Self.hash(
            event, sequence: sequence, at: at, horizon: horizon, history: history, previous: previous)
        self.init(sequence: sequence, event: event.id, hash: hash, at: at, horizon: horizon, history: history)
    }

    /// Returns the hash that the seal must have, given the event and the previous link.
    func expectedHash(of event: AuditEvent, previous: SecretDigest?) -> SecretDigest {
        Self.hash(event, sequence: sequence, at: at, horizon: horizon, history: history, previous: previous)
    }

    /// Writes before each field a byte for its presence and its length, so that two different events never have the
    /// same bytes.
    private static func hash(
        _ event: AuditEvent, sequence: Int64, at: Timestamp, horizon: UInt64, history: String, previous: SecretDigest?
    ) -> SecretDigest {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(512 + event.changes.utf8.count)
        func add(_ field: [UInt8]?) {
            bytes.append(field == nil ? 0 : 1)
            guard let field else { return }
            bytes += bigEndian(UInt64(field.count))
            bytes += field
        }
        func add(_ text: String?) { add(text.map { Array($0.utf8) }) }
        add("keyward audit 1")
        add(previous?.bytes)
        add(bigEndian(sequence))
        add(bigEndian(at.microseconds))
        add(bigEndian(horizon))
        add(history)
        add(bigEndian(event.id))
        add(bigEndian(event.at.microseconds))
        add(bigEndian(event.transaction))
        add(event.actor)
        add(event.actorName)
        add(event.address)
        add(event.requestID)
        add(event.action)
        add(event.subject?.bytes)
        add(event.owner)
        add(event.outcome)
        add(event.code)
        add(event.changes)
        return bytes.withUnsafeBytes { SecretDigest(hashing: $0) }
    }
}

/// The state of the sealing, and the next events to seal: the decisions of `AuditTrail.seal`.
public struct SealingState: Sendable, Equatable {
    /// The maximum number of events that are sealed at once.
    public static let batch = 1_000

    /// The newest seal.
    public let head: AuditSeal?
    /// The transaction that wrote the event of the newest seal; nil if that event is gone.
    public let headTransaction: UInt64?
    /// The identity of this cluster.
    public let history: String

    public init(head: AuditSeal?, headTransaction: UInt64?, history: String) {
        self.head = head
        self.headTransaction = headTransaction
        self.history = history
    }

    /// True if the chain begins, or continues in another cluster, where transaction ids do not tell which events are
    /// sealed. Then all events must be read. A horizon of 0 means that this is not finished.
    public var looksAtAll: Bool { head.map { $0.history != history || $0.horizon == 0 } ?? true }

    /// The transaction and event id after which unsealed events follow, in this order, unless `looksAtAll` is true. It
    /// points behind the head's event if its transaction may have written more events.
    public var position: (transaction: UInt64, event: Int64) {
        guard let head, !looksAtAll else { return (0, 0) }
        return (head.horizon, headTransaction == head.horizon ? head.event : 0)
    }

    /// Returns the seals of events, which are given in sealing order.
    /// - Parameters:
    ///   - horizon: the oldest transaction in progress.
    ///   - isCut: whether more events can be sealed.
    public func seals(for events: [AuditEvent], horizon: UInt64, isCut: Bool, now: Timestamp) -> [AuditSeal] {
        let before = looksAtAll ? 0 : head?.horizon ?? 0
        let after = isCut ? (looksAtAll ? 0 : events.last?.transaction ?? 0) : horizon
        var previous = head
        return events.map { event in
            let seal = AuditSeal(
                event, sequence: (previous?.sequence ?? 0) + 1, at: now,
                horizon: event.id == events.last?.id ? after : before, history: history, previous: previous?.hash)
            previous = seal
            return seal
        }
    }
}
