import HTTPCredentials
import Logging
import TestSupport
import Testing

@testable import AuthKeys

@Suite("Failed attempts")
struct FailedAttemptsTests {
    private let clock = ManualClock()

    private func attempts(_ number: Int, _ log: LogLines = LogLines()) throws -> FailedAttempts {
        FailedAttempts(
            try #require(AttemptRate(number, in: .seconds(60))), of: .keys, time: clock.source,
            logger: Logger(label: "attempts") { _ in log.handler })
    }

    private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    @Test("a network over its budget waits for whole seconds, and others are not affected")
    func count() throws {
        let attempts = try attempts(2)
        let guesser = try address("2001:db8::1")
        for _ in 0..<2 { #expect(attempts.count(from: guesser) == nil) }
        let wait = try #require(attempts.count(from: try address("2001:db8::2")))
        #expect((30...60).contains(wait) && attempts.exceededCount == 1)
        #expect(attempts.count(from: try address("2001:db8:0:1::1")) == nil)
        clock.advance(by: .seconds(wait))
        #expect(attempts.exceededCount == 0)
        #expect(attempts.count(from: guesser) == nil && attempts.count(from: guesser) != nil)
    }

    @Test("a flood from random networks does not free one that is over its budget")
    func flood() throws {
        let attempts = try attempts(3)
        var random = SeededRandom(state: 9)
        let guesser = try address("192.0.2.1")
        for _ in 0..<10 { _ = attempts.count(from: guesser) }
        for _ in 0..<300_000 {
            _ = attempts.count(from: IPAddress(high: random.next(), low: random.next(), isV4: false))
        }
        #expect(attempts.count(from: guesser) != nil)
    }

    @Test("there is one line a minute at most, with the network that made the most attempts")
    func log() async throws {
        let log = LogLines()
        let attempts = try attempts(1, log)
        let guesser = try address("192.0.2.1")
        for _ in 0..<2 { _ = attempts.count(from: guesser) }
        try await eventually("the first line") { log.all.count == 1 }
        for _ in 0..<5 { _ = attempts.count(from: guesser) }
        for _ in 0..<3 { _ = attempts.count(from: try address("198.51.100.1")) }
        clock.advance(by: .seconds(59))
        _ = attempts.count(from: guesser)
        clock.advance(by: .seconds(1))
        _ = attempts.count(from: guesser)
        try await eventually("the second line") { log.all.count == 2 }
        let text = "a client network sends too many invalid credentials"
        #expect(log.all.first == "\(text) attempts=1 credentials=keys network=192.0.2.1 networks=1")
        #expect(log.all.last == "\(text) attempts=7 credentials=keys network=192.0.2.1 networks=2")
    }

    // MARK: - Verification

    private struct Verification {
        let store = InMemoryStore()
        let index = KeyIndex()
        let requests: RequestVerifier

        init(_ attempts: FailedAttempts, _ time: TimeSource) {
            let freshness = IndexFreshness(maxStaleness: .seconds(3_600), time: time)
            freshness.recordSync(startedAt: .zero)
            let lookup = UnknownKeyLookup(store: store, index: index, time: time)
            requests = RequestVerifier(
                verifier: KeyVerifier(index: index, freshness: freshness, lookup: lookup, time: time),
                attempts: attempts, time: time)
        }

        /// Returns the code of the decision; nil for an admitted request.
        func ask(_ token: String?, from address: String?) async -> String? {
            let credential: Credential<String> = token.map { .token($0) } ?? .none
            return RequestDecision(
                await requests.decide(
                    IncomingRequest(credential: credential, address: address.flatMap { IPAddress($0) }))
            ).code
        }
    }

    @Test("only unknown and malformed keys of a known address count")
    func counted() async throws {
        let verification = Verification(try attempts(2), clock.source)
        let (expired, ended) = (Token.generate(), Token.generate())
        for (token, state) in [(expired, KeyEntry.State.active), (ended, .deactivated)] {
            verification.index.apply(
                KeyEntry(
                    digest: token.digest, keyID: .generate(), version: 1, state: state,
                    expiresAt: Timestamp(microseconds: 1), name: "k"))
        }
        for _ in 0..<10 {
            #expect(await verification.ask(expired.value, from: "192.0.2.1") == "key_expired")
            #expect(await verification.ask(ended.value, from: "192.0.2.1") == "key_inactive")
            #expect(await verification.ask(nil, from: "192.0.2.1") == "key_missing")
            #expect(await verification.ask("junk", from: nil) == "key_malformed")
        }
        #expect(await verification.ask("junk", from: "192.0.2.1") == "key_malformed")
        #expect(await verification.ask(Token.generate().value, from: "192.0.2.1") == "key_unknown")
        #expect(await verification.ask(Token.generate().value, from: "192.0.2.1") == "too_many_failed_attempts")
        #expect(await verification.ask("junk", from: "192.0.2.1") == "too_many_failed_attempts")
        #expect(await verification.ask(expired.value, from: "192.0.2.1") == "key_expired")
        #expect(await verification.ask(nil, from: "192.0.2.1") == "key_missing")
    }

    @Test("a valid key of a network over its budget is admitted, also if it is not in memory yet")
    func valid() async throws {
        let verification = Verification(try attempts(1), clock.source)
        for _ in 0..<5 { _ = await verification.ask("junk", from: "192.0.2.1") }
        let (known, fresh) = (Token.generate(), Token.generate())
        verification.index.apply(
            KeyEntry(digest: known.digest, keyID: .generate(), version: 1, state: .active, name: "known"))
        _ = try await verification.store.create(
            StoreConformance.newKey(name: "fresh", digest: fresh.digest), claim: nil)
        #expect(await verification.ask(known.value, from: "192.0.2.1") == nil)
        #expect(await verification.ask(fresh.value, from: "192.0.2.1") == nil)
        #expect(verification.store.finds == 1)
        #expect(await verification.ask("junk", from: "192.0.2.1") == "too_many_failed_attempts")
    }

    @Test("a key that cannot be looked up is not a failed attempt")
    func unavailable() async throws {
        let verification = Verification(try attempts(1), clock.source)
        verification.store.isDown = true
        for _ in 0..<3 {
            #expect(await verification.ask(Token.generate().value, from: "192.0.2.1") == "verification_unavailable")
        }
        verification.store.isDown = false
        #expect(await verification.ask("junk", from: "192.0.2.1") == "key_malformed")
    }

    @Test("attempts of a network over its budget cost no more lookups than any others")
    func lookups() async throws {
        let verification = Verification(try attempts(1), clock.source)
        for _ in 0..<2 { _ = await verification.ask("junk", from: "192.0.2.1") }
        for _ in 0..<10 {
            #expect(await verification.ask("junk", from: "192.0.2.1") == "too_many_failed_attempts")
        }
        #expect(verification.store.finds == 0)
        let token = Token.generate().value
        for _ in 0..<10 {
            #expect(await verification.ask(token, from: "192.0.2.1") == "too_many_failed_attempts")
        }
        #expect(verification.store.finds == 1, "an absent key is remembered")
    }
}
