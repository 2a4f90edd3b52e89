/// A store of the audit trail. Changes of keys write their events in their own transactions.
public protocol AuditTrail: Sendable {
    /// Appends events that belong to no change.
    func record(_ events: [NewAuditEvent]) async throws(StoreError)

    /// Returns a page of events.
    func events(_ query: AuditQuery) async throws(StoreError) -> [AuditEvent]

    /// Seals the events that can be sealed, unless another instance is sealing, and returns their number. Events are
    /// sealed in transaction order, once no older transaction is in progress. So none can appear later among sealed
    /// ones.
    func seal() async throws(StoreError) -> Int

    /// Returns the chain in order, from the seal after `sequence` on.
    func sealed(after sequence: Int64, limit: Int) async throws(StoreError) -> [SealedEvent]

    /// Returns the boundary between ended transactions and those in progress.
    func auditStatus() async throws(StoreError) -> AuditStatus

    /// Returns the unsealed events in id order, from the one after `id` on.
    /// - Parameter limit: the number of events to read.
    func unsealed(after id: Int64, limit: Int) async throws(StoreError) -> UnsealedPage
}

/// A link of the chain, with the event that it seals.
public struct SealedEvent: Sendable, Equatable {
    public let seal: AuditSeal
    /// Nil if the event is missing.
    public let event: AuditEvent?

    public init(seal: AuditSeal, event: AuditEvent?) {
        self.seal = seal
        self.event = event
    }
}

/// The boundary between ended transactions and those in progress.
public struct AuditStatus: Sendable, Equatable {
    /// The oldest transaction in progress.
    public let horizon: UInt64
    /// The identity of the cluster.
    public let history: String
    public let now: Timestamp

    public init(horizon: UInt64, history: String, now: Timestamp) {
        self.horizon = horizon
        self.history = history
        self.now = now
    }
}

/// The result of a read of unsealed events.
public struct UnsealedPage: Sendable, Equatable {
    /// The unsealed events among those read.
    public let events: [AuditEvent]
    /// The last id that was read; nil after the last event.
    public let last: Int64?
    /// The next transaction id at the time of the read.
    public let next: UInt64

    public init(events: [AuditEvent], last: Int64?, next: UInt64) {
        self.events = events
        self.last = last
        self.next = next
    }
}
