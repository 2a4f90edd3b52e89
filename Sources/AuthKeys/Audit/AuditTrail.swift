/// Where the trail of what admins did is kept. Changes of keys write their events themselves, in their own transaction.
public protocol AuditTrail: Sendable {
    /// Puts events into the trail that belong to no change.
    func record(_ events: [NewAuditEvent]) async throws(StoreError)

    /// A page of events.
    func events(_ query: AuditQuery) async throws(StoreError) -> [AuditEvent]

    /// Seals what can be sealed, if nobody else is at it, and returns how many events that were. Events are sealed in the
    /// order of their transactions, when no older transaction is under way, so that none can appear later among those sealed.
    func seal() async throws(StoreError) -> Int

    /// The chain, in its order, from the seal after a number on.
    func sealed(after sequence: Int64, limit: Int) async throws(StoreError) -> [SealedEvent]

    /// Which transactions are over.
    func auditStatus() async throws(StoreError) -> AuditStatus

    /// The unsealed ones among the events, in the order of their ids, from the one after an id on.
    /// - Parameter limit: how many events are looked at.
    func unsealed(after id: Int64, limit: Int) async throws(StoreError) -> UnsealedPage
}

/// A link of the chain, with the event that it seals.
public struct SealedEvent: Sendable, Equatable {
    public let seal: AuditSeal
    /// Nil if it is gone.
    public let event: AuditEvent?

    public init(seal: AuditSeal, event: AuditEvent?) {
        self.seal = seal
        self.event = event
    }
}

/// Which transactions are over.
public struct AuditStatus: Sendable, Equatable {
    /// The oldest one under way.
    public let horizon: UInt64
    /// Which cluster's they are.
    public let history: String
    public let now: Timestamp

    public init(horizon: UInt64, history: String, now: Timestamp) {
        self.horizon = horizon
        self.history = history
        self.now = now
    }
}

/// What a look for unsealed events found.
public struct UnsealedPage: Sendable, Equatable {
    /// The unsealed ones among those that were looked at.
    public let events: [AuditEvent]
    /// The last id that was looked at; nil after the last event.
    public let last: Int64?
    /// The next transaction to come, at the time of the look.
    public let next: UInt64

    public init(events: [AuditEvent], last: Int64?, next: UInt64) {
        self.events = events
        self.last = last
        self.next = next
    }
}
