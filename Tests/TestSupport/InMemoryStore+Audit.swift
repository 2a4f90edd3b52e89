public import AuthKeys
import FoundationEssentials
public import KeyAdministration
import Synchronization

/// The audit trail of the fake.
struct InMemoryTrail {
    var events: [AuditEvent] = []
    var seals: [AuditSeal] = []
    private var transactions: UInt64 = 100

    /// Appends the events of one transaction.
    mutating func append(_ new: [NewAuditEvent], now: Timestamp) {
        transactions += 1
        for event in new {
            let json = (try? JSONEncoder().encode(event.changes.json)).map { String(decoding: $0, as: UTF8.self) }
            events.append(
                AuditEvent(
                    id: Int64(events.count + 1), at: now, transaction: transactions, actor: event.actor.text,
                    actorName: event.actor.name, address: event.origin.address, requestID: event.origin.requestID,
                    action: event.action.rawValue, subject: event.subject, owner: event.owner,
                    outcome: event.refusal == nil ? AuditEvent.done : AuditEvent.refused, code: event.refusal,
                    changes: json ?? "{}"))
        }
    }

    mutating func seal(now: Timestamp) -> Int {
        let head = seals.last
        let headTransaction = head.flatMap { head in events.first { $0.id == head.event }?.transaction }
        let state = SealingState(head: head, headTransaction: headTransaction, history: "fake")
        let unsealed = events.filter { event in !seals.contains { $0.event == event.id } }
        let batch = unsealed.prefix(SealingState.batch)
        let new = state.seals(
            for: Array(batch), horizon: transactions + 1, isCut: unsealed.count > batch.count, now: now)
        seals += new
        return new.count
    }

    func withSeals(_ events: some Sequence<AuditEvent>) -> [AuditEvent] {
        events.map { event in
            let seal = seals.first { $0.event == event.id }
            return AuditEvent(
                id: event.id, at: event.at, transaction: event.transaction, actor: event.actor,
                actorName: event.actorName, address: event.address, requestID: event.requestID, action: event.action,
                subject: event.subject, owner: event.owner, outcome: event.outcome, code: event.code,
                changes: event.changes, seal: seal.map { .init(sequence: $0.sequence, hash: $0.hash) })
        }
    }

    func matching(_ query: AuditQuery) -> [AuditEvent] {
        let found = events.filter { event in
            (query.actor.map { $0 == event.actor } ?? true)
                && (query.action.map { $0.rawValue == event.action } ?? true)
                && (query.subject.map { $0 == event.subject } ?? true)
                && (query.refused.map { $0 == (event.outcome == AuditEvent.refused) } ?? true)
                && (query.owner.map { $0.matches(event.owner) } ?? true)
                && (query.requestID.map { event.requestID == $0 } ?? true)
                && (query.since.map { event.at >= $0 } ?? true)
                && (query.until.map { event.at < $0 } ?? true)
        }
        .sorted { ($0.at, $0.id) < ($1.at, $1.id) }
        let ordered = query.oldestFirst ? found : found.reversed()
        let rest = ordered.drop { event in
            query.after.map {
                query.oldestFirst ? (event.at, event.id) <= ($0.at, $0.id) : (event.at, event.id) >= ($0.at, $0.id)
            } ?? false
        }
        return withSeals(rest.prefix(query.limit))
    }

    var status: AuditStatus { AuditStatus(horizon: transactions + 1, history: "fake", now: .now) }

    func unsealed(after id: Int64, limit: Int) -> UnsealedPage {
        let page = events.filter { $0.id > id }.prefix(limit)
        return UnsealedPage(
            events: page.filter { event in !seals.contains { $0.event == event.id } },
            last: page.count < limit ? nil : page.last?.id, next: transactions + 1)
    }
}

extension InMemoryStore: AuditTrail {
    public func record(_ events: [NewAuditEvent]) async throws(StoreError) {
        let now = time.now()
        try read { $0.trail.append(events, now: now) }
    }

    public func events(_ query: AuditQuery) async throws(StoreError) -> [AuditEvent] {
        try read { $0.trail.matching(query) }
    }

    public func seal() async throws(StoreError) -> Int {
        let now = time.now()
        return try read { $0.trail.seal(now: now) }
    }

    public func sealed(after sequence: Int64, limit: Int) async throws(StoreError) -> [SealedEvent] {
        try read { state in
            state.trail.seals.filter { $0.sequence > sequence }.prefix(limit).map { seal in
                SealedEvent(seal: seal, event: state.trail.events.first { $0.id == seal.event })
            }
        }
    }

    public func auditStatus() async throws(StoreError) -> AuditStatus {
        try read { $0.trail.status }
    }

    public func unsealed(after id: Int64, limit: Int) async throws(StoreError) -> UnsealedPage {
        try read { $0.trail.unsealed(after: id, limit: limit) }
    }

    /// Changes the trail directly, as someone with access to the database could.
    public func tamper(events change: @Sendable (inout [AuditEvent]) -> Void) {
        state.withLock { change(&$0.trail.events) }
    }
}
