import TestSupport
import Testing

@testable import AuthKeys

@Suite("Key index")
struct KeyIndexTests {
    private func entry(
        _ digest: SecretDigest, id: KeyID = .generate(), version: UInt32 = 1, state: KeyEntry.State = .active,
        expiresAt: Timestamp? = nil, name: String = "name", owner: String? = nil, scopes: String = ""
    ) -> KeyEntry {
        KeyEntry(
            digest: digest, keyID: id, version: version, state: state, expiresAt: expiresAt, name: name, owner: owner,
            scopes: scopes)
    }

    private func state(_ index: KeyIndex, _ digest: SecretDigest) -> KeyEntry.State? {
        index.withKey(for: digest) { $0.state }
    }

    @Test("a key is returned with all its fields")
    func fields() throws {
        let index = KeyIndex()
        let end = try Timestamp(rfc3339: "2031-01-01T00:00:00.5Z")
        let long = String(repeating: "né", count: 100)
        let entry = entry(
            Token.generate().digest, expiresAt: end, name: long, owner: "the owner", scopes: "a:read b:write")
        #expect(index.apply(entry))
        let principal = index.withKey(for: entry.digest) { $0.principal }
        #expect(
            principal
                == Principal(
                    keyID: entry.keyID, name: long, owner: "the owner", scopes: ["a:read", "b:write"], expiresAt: end))
        #expect(index.count == 1)
        #expect(index.withKey(for: Token.generate().digest) { _ in true } == nil)
    }

    @Test("an older or equal version changes nothing")
    func versions() {
        let index = KeyIndex()
        let digest = Token.generate().digest
        let id = KeyID.generate()
        #expect(index.apply(entry(digest, id: id, version: 3, state: .disabled)))
        #expect(!index.apply(entry(digest, id: id, version: 2, state: .active)))
        #expect(!index.apply(entry(digest, id: id, version: 3, state: .active)))
        #expect(state(index, digest) == .disabled)
        #expect(index.apply(entry(digest, id: id, version: 4, state: .active)))
        #expect(state(index, digest) == .active)
    }

    @Test("a late entry does not restore a deleted key")
    func tombstones() {
        let index = KeyIndex()
        let digest = Token.generate().digest
        index.apply(entry(digest, version: 1))
        index.apply(entry(digest, version: 2, state: .deleted, name: ""))
        #expect(index.count == 0)
        #expect(!index.apply(entry(digest, version: 1)))
        #expect(state(index, digest) == nil)
        let unseen = Token.generate().digest
        index.apply(entry(unseen, version: 5, state: .deleted, name: ""))
        #expect(!index.apply(entry(unseen, version: 4)))
        #expect(state(index, unseen) == nil)
    }

    @Test("a full load removes missing keys and keeps concurrent changes")
    func loads() {
        let index = KeyIndex()
        let digests = (0..<4).map { _ in Token.generate().digest }
        for digest in digests[..<3] { index.apply(entry(digest)) }
        index.beginLoad()
        index.load(entry(digests[0]))
        index.apply(entry(digests[1], version: 2, state: .deactivated))
        index.load(entry(digests[1], version: 1))
        index.apply(entry(digests[3]))
        #expect(index.finishLoad() == 1)
        #expect(state(index, digests[0]) == .active)
        #expect(state(index, digests[1]) == .deactivated, "a slow load does not reactivate a revoked key")
        #expect(state(index, digests[2]) == nil)
        #expect(state(index, digests[3]) == .active)
    }

    @Test("a load from another history replaces higher versions but no revocation")
    func history() {
        let index = KeyIndex()
        let (revoked, restored, local) = (Token.generate().digest, Token.generate().digest, Token.generate().digest)
        for digest in [revoked, restored, local] { index.apply(entry(digest, version: 9)) }
        #expect(index.apply(entry(revoked, version: 2, state: .deactivated)), "versions restart")
        #expect(state(index, revoked) == .deactivated)
        index.beginLoad()
        index.apply(entry(local, version: 2, state: .deactivated))
        index.load(entry(revoked, version: 2, state: .deactivated))
        index.load(entry(restored, version: 1, state: .disabled))
        index.load(entry(local, version: 1))
        #expect(index.finishLoad() == 0)
        #expect(state(index, revoked) == .deactivated)
        #expect(state(index, restored) == .disabled)
        #expect(state(index, local) == .deactivated, "a change during the load is newer than the load")
        #expect(index.apply(entry(restored, version: 2, state: .active)), "versions continue from there")
    }

    @Test("failed loads change nothing, and the next load removes missing keys")
    func brokenLoads() {
        let index = KeyIndex()
        let kept = Token.generate().digest
        let gone = Token.generate().digest
        index.apply(entry(kept))
        index.apply(entry(gone))
        for _ in 0..<10 {
            index.beginLoad()
            index.apply(entry(kept))
        }
        #expect(state(index, gone) == .active)
        index.beginLoad()
        index.apply(entry(kept))
        #expect(index.finishLoad() == 1)
        #expect(state(index, kept) == .active)
        #expect(state(index, gone) == nil)
    }

    @Test("an expiry is stored in milliseconds, rounded down, and none stays none")
    func expiry() {
        let index = KeyIndex()
        for (given, kept) in [
            (Timestamp(microseconds: 1_700_000_000_000_999), Timestamp(microseconds: 1_700_000_000_000_000)),
            (.maximum, Timestamp(microseconds: 253_402_300_799_999_000)),
            (Timestamp(microseconds: .max), Timestamp(microseconds: 281_474_976_710_654_000)),
            (Timestamp(microseconds: -5), Timestamp(microseconds: 0)),
        ] {
            let digest = Token.generate().digest
            index.apply(entry(digest, expiresAt: given))
            #expect(index.withKey(for: digest) { $0.expiresAt } == .some(.some(kept)))
        }
    }

    @Test("the index agrees with a dictionary after random changes", arguments: [1, 2, 3] as [UInt64])
    func model(seed: UInt64) {
        var random = SeededRandom(state: seed)
        let index = KeyIndex()
        var model: [SecretDigest: KeyEntry] = [:]
        // Digests with few homes, so that runs get long and are shifted both ways.
        let digests = (0..<600).map { _ in
            SecretDigest(
                words: (random.next() % 7 << 60 | random.next() % 3 << 40, random.next() % 5, random.next(), 0))
        }
        for step in 0..<30_000 {
            let digest = digests[Int(random.next() % UInt64(digests.count))]
            switch random.next() % 100 {
            case 0 where step % 10 == 0:
                index.beginLoad()
                let survivors = model.values.filter { _ in random.next() % 2 == 0 }
                for survivor in survivors { index.load(survivor) }
                let lost = model.values.filter { held in !survivors.contains { $0.digest == held.digest } }
                #expect(index.finishLoad() == lost.count { !$0.state.isFinal })
                model = Dictionary(uniqueKeysWithValues: survivors.map { ($0.digest, $0) })
                // A revocation that the load did not see stays as a tombstone.
                for end in lost where end.state.isFinal {
                    model[end.digest] = entry(end.digest, version: end.version, state: .deleted, name: end.name)
                }
            default:
                let state = KeyEntry.State.allCases[Int(random.next() % 4)]
                let change = entry(
                    digest, version: UInt32(random.next() % 50), state: state,
                    name: String(repeating: "n", count: Int(random.next() % 300)))
                let held = model[digest]
                let ends = change.state.isFinal && held?.state.isFinal == false
                let revives = held?.state.isFinal == true && !change.state.isFinal
                let wins = !revives && (held.map { $0.version < change.version } ?? true || ends)
                #expect(index.apply(change) == wins)
                if wins {
                    model[digest] = entry(
                        digest, version: max(change.version, held?.version ?? 0), state: state, name: change.name)
                }
            }
        }
        for digest in digests {
            let expected = model[digest].flatMap { $0.state == .deleted ? nil : $0 }
            #expect(index.withKey(for: digest) { $0.principal.name } == expected?.name)
            #expect(state(index, digest) == expected?.state)
        }
        #expect(index.count == model.values.count { $0.state != .deleted })
    }

    @Test("keys clustered at the end of a table keep their texts as it grows")
    func crowded() {
        let index = KeyIndex()
        let entries = (0..<500 as Range<UInt64>).map { number in
            entry(SecretDigest(words: (.max, .max, number, 0)), name: "key \(number)", owner: "owner \(number)")
        }
        for entry in entries { #expect(index.apply(entry)) }
        for entry in entries {
            let principal = index.withKey(for: entry.digest) { $0.principal }
            #expect(principal?.name == entry.name && principal?.owner == entry.owner)
        }
        #expect(index.count == 500)
    }

    @Test("memory grows with keys, not with changes")
    func memory() {
        let index = KeyIndex()
        let digests = (0..<1_000).map { _ in Token.generate().digest }
        for round in 1...200 as ClosedRange<UInt32> {
            for digest in digests { index.apply(entry(digest, version: round, name: "some name of a key")) }
        }
        #expect(index.memory < 1_000_000)
        #expect(index.withKey(for: digests[0]) { $0.principal.name } == "some name of a key")
    }

    @Test("concurrent reads and writes never miss a stable key")
    func concurrency() async {
        let index = KeyIndex()
        let stable = (0..<200).map { _ in Token.generate().digest }
        for digest in stable { index.apply(entry(digest, name: "stable")) }
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<2 {
                group.addTask {
                    for _ in 0..<20_000 { index.apply(self.entry(Token.generate().digest)) }
                }
                group.addTask {
                    for round in 0..<200 {
                        for digest in stable {
                            let name = index.withKey(for: digest) { $0.principal.name }
                            if name != "stable" { Issue.record("missed in round \(round)") }
                        }
                    }
                }
            }
        }
        #expect(index.count == 40_200)
    }
}
