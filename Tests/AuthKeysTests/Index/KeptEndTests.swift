import TestSupport
import Testing

@testable import AuthKeys

@Suite("Revocations in the index")
struct KeptEndTests {
    let index = KeyIndex()
    let digest = Token.generate().digest
    let id = KeyID.generate()
    let past = Timestamp(microseconds: 1_700_000_000_000_000)

    private func entry(
        version: UInt32 = 1, state: KeyEntry.State = .active, secretEnd: Timestamp? = nil, name: String = "name"
    ) -> KeyEntry {
        KeyEntry(
            digest: digest, keyID: id, version: version, state: state, expiresAt: secretEnd,
            endsSecret: secretEnd != nil, name: name)
    }

    private var state: KeyEntry.State? { index.state(of: digest) }

    @Test("a load without a revocation keeps it and disputes it until the database agrees")
    func lostRevocation() {
        index.apply(entry(version: 5, state: .deactivated))
        index.beginLoad()
        #expect(!index.load(entry(version: 4)))
        index.finishLoad()
        #expect(state == .deactivated)
        #expect(index.disputedEnds == [DisputedEnd(digest: digest, keyID: id, kind: .key)])
        index.follow(entry(version: 5, state: .deactivated))
        #expect(index.disputedEnds.isEmpty && state == .deactivated)
    }

    @Test("a higher version does not reactivate a key, as with disabled triggers")
    func higherVersion() {
        index.apply(entry(version: 2, state: .deactivated))
        #expect(!index.follow(entry(version: 3)))
        #expect(state == .deactivated && index.disputedEndCount == 1)
    }

    @Test("a row from before the revocation is not a dispute")
    func staleRow() {
        index.apply(entry(version: 2, state: .deactivated))
        #expect(!index.follow(entry(version: 1)))
        index.beginLoad()
        index.apply(entry(version: 2, state: .deactivated))
        index.load(entry(version: 1))
        index.finishLoad()
        #expect(state == .deactivated && index.disputedEndCount == 0)
    }

    @Test("a load without a revoked key leaves a tombstone, and a later load does not reactivate it")
    func missingRevocation() {
        for end in [KeyEntry.State.deactivated, .deleted] {
            let index = KeyIndex()
            index.apply(entry(version: 5, state: end))
            index.beginLoad()
            #expect(index.countUnseen() == 0)
            #expect(index.finishLoad() == 0)
            #expect(index.count == 0 && index.state(of: digest) == .deleted)
            index.beginLoad()
            index.load(entry(version: 1))
            index.finishLoad()
            #expect(index.state(of: digest) == .deleted && index.disputedEndCount == 1)
        }
    }

    @Test("the expiry of a secret survives a load without the rotation and is not postponed")
    func lostRotation() {
        index.apply(entry(version: 5, secretEnd: past))
        index.beginLoad()
        #expect(index.load(entry(version: 4)))
        index.finishLoad()
        #expect(index.withKey(for: digest) { $0.expiresAt } == past)
        #expect(index.disputedEnds == [DisputedEnd(digest: digest, keyID: id, kind: .secret(at: past))])
        index.follow(entry(version: 5, secretEnd: past.advanced(by: .seconds(60))))
        #expect(index.withKey(for: digest) { $0.expiresAt } == past)
        #expect(index.disputedEndCount == 0, "an expiry that has passed equals the known one")
        index.follow(entry(version: 6, secretEnd: Timestamp(microseconds: 0)))
        #expect(index.withKey(for: digest) { $0.expiresAt } == Timestamp(microseconds: 0))
        #expect(index.disputedEndCount == 0)
    }

    @Test("an accepted load reactivates keys and forgets the missing revocations")
    func accepted() {
        let lost = Token.generate().digest
        index.apply(entry(version: 5, state: .deactivated))
        index.apply(KeyEntry(digest: lost, keyID: .generate(), version: 2, state: .deleted, name: ""))
        index.beginLoad()
        index.load(entry(version: 4), acceptsDatabase: true)
        #expect(index.finishLoad(acceptsDatabase: true) == 1)
        #expect(state == .active && index.state(of: lost) == nil && index.disputedEndCount == 0)
    }

    @Test("an expiry of the key before that of the secret denies and leaves no revocation")
    func earlierExpiry() {
        let (soon, late) = (Timestamp.now.advanced(by: .seconds(60)), Timestamp.now.advanced(by: .seconds(3_600)))
        index.apply(entry(version: 2, secretEnd: late))
        let own = KeyEntry(digest: digest, keyID: id, version: 3, state: .active, expiresAt: soon, name: "name")
        #expect(index.follow(own) && !index.follow(own))
        #expect(index.disputedEndCount == 0)
        #expect(index.follow(entry(version: 4, secretEnd: late)))
        #expect(index.disputedEndCount == 0 && index.withKey(for: digest) { $0.expiresAt }.map { $0 != soon } == true)
    }

    @Test("a removed secret does not revoke its key, and an expired one denies nothing")
    func removedSecret() {
        index.apply(entry(version: 3, state: .deleted, name: ""))
        index.beginLoad()
        index.load(entry(version: 1, secretEnd: past))
        index.finishLoad()
        #expect(state == .deleted && index.disputedEndCount == 0)
        index.beginLoad()
        index.load(entry(version: 1))
        index.finishLoad()
        #expect(state == .deleted)
        #expect(index.disputedEnds.map(\.kind) == [.secret(at: Timestamp(microseconds: 0))])
    }

    @Test("a key's own expiry can be postponed again")
    func ownExpiry() {
        let other = KeyEntry(digest: digest, keyID: id, version: 1, state: .active, expiresAt: past, name: "name")
        index.apply(other)
        #expect(index.follow(entry(version: 2)))
        #expect(index.withKey(for: digest) { $0.expiresAt } == .some(nil) && index.disputedEndCount == 0)
    }

    @Test("for equal versions the database's form wins")
    func form() {
        index.apply(entry(version: 2, name: "mine"))
        #expect(!index.apply(entry(version: 2, name: "other")))
        #expect(index.follow(entry(version: 2, name: "theirs")))
        #expect(!index.follow(entry(version: 2, name: "theirs")))
        #expect(index.withKey(for: digest) { $0.principal.name } == "theirs")
    }
}
