import TestSupport
import Testing

@testable import AuthKeys
@testable import KeyAdministration

@Suite("Audit chain")
struct ChainTests {
    private func event(_ id: Int64, transaction: UInt64, actor: String = "bootstrap") -> AuditEvent {
        AuditEvent(
            id: id, at: Timestamp(microseconds: id), transaction: transaction, actor: actor, actorName: nil,
            address: "a", requestID: "r", action: "key.create", subject: nil, owner: nil, outcome: "done", code: nil,
            changes: "{}")
    }

    /// Returns the chain of batches, each with events and its horizon.
    private func chain(_ batches: [(events: [AuditEvent], horizon: UInt64)]) -> [SealedEvent] {
        var chain: [SealedEvent] = []
        for (events, horizon) in batches {
            let state = SealingState(
                head: chain.last?.seal, headTransaction: chain.last?.event?.transaction, history: "h")
            let seals = state.seals(
                for: events, horizon: horizon, isCut: false, now: Timestamp(microseconds: 1_000))
            chain += zip(seals, events).map { SealedEvent(seal: $0, event: $1) }
        }
        return chain
    }

    private func kinds(_ chain: [SealedEvent]) -> [ChainVerifier.Finding.Kind] {
        var verifier = ChainVerifier()
        for link in chain { verifier.take(link) }
        verifier.takeEnd()
        return verifier.findings.map(\.kind)
    }

    @Test("a value has a different hash in each field")
    func fields() {
        func hash(_ actor: String, _ name: String?, _ address: String) -> SecretDigest {
            let event = AuditEvent(
                id: 1, at: Timestamp(microseconds: 1), transaction: 1, actor: actor, actorName: name, address: address,
                requestID: "", action: "", subject: nil, owner: nil, outcome: "", code: nil, changes: "")
            return AuditSeal(
                event, sequence: 1, at: Timestamp(microseconds: 1), horizon: 1, history: "h", previous: nil
            ).hash
        }
        let hashes = [
            hash("ab", "c", ""), hash("a", "bc", ""), hash("a", "b", "c"), hash("ab", nil, "c"), hash("ab", "", "c"),
        ]
        #expect(Set(hashes).count == hashes.count)
    }

    @Test("the first link has a known hash, because the format is fixed")
    func format() {
        let seal = AuditSeal(
            event(1, transaction: 7), sequence: 1, at: Timestamp(microseconds: 2), horizon: 8, history: "h",
            previous: nil)
        // Computed by another program.
        let digest = "1c3ca288a09015bab5abdbfe2b974dee7db676d1c5bbd993149fa7739a0aea04"
        #expect(Hex.text(seal.hash.bytes) == digest)
    }

    @Test("changed, removed and inserted events and missing links are found")
    func tampering() {
        let batches = [
            (events: [event(1, transaction: 5), event(2, transaction: 6)], horizon: UInt64(10)),
            (events: [event(3, transaction: 12)], horizon: UInt64(20)),
        ]
        let good = chain(batches)
        #expect(kinds(good).isEmpty)
        var changed = good
        changed[1] = SealedEvent(seal: good[1].seal, event: event(2, transaction: 6, actor: "anonymous"))
        #expect(kinds(changed) == [.changed])
        var removed = good
        removed[0] = SealedEvent(seal: good[0].seal, event: nil)
        #expect(kinds(removed) == [.removed])
        #expect(kinds([good[0], good[2]]) == [.removed])
        #expect(kinds(Array(good.dropFirst())) == [.removed])
        #expect(kinds(chain(batches + [(events: [event(4, transaction: 11)], horizon: 30)])) == [.inserted])
    }

    @Test("sealing continues after the last event of a full batch, and then from its horizon")
    func position() {
        let first = SealingState(head: nil, headTransaction: nil, history: "h")
        #expect(first.looksAtAll)
        let begun = first.seals(for: [event(1, transaction: 5)], horizon: 9, isCut: false, now: .now)
        let second = SealingState(head: begun.last, headTransaction: 5, history: "h")
        #expect(!second.looksAtAll && second.position == (9, 0))
        let cut = second.seals(
            for: [event(2, transaction: 9), event(3, transaction: 9)], horizon: 30, isCut: true, now: .now)
        let third = SealingState(head: cut.last, headTransaction: 9, history: "h")
        #expect(third.position == (9, 3))
        #expect(SealingState(head: cut.last, headTransaction: 9, history: "other").looksAtAll)
    }
}
