import TestSupport
import Testing

@testable import AuthKeys

@Suite("Key verifier")
struct KeyVerifierTests {
    let clock = ManualClock()
    let store: InMemoryStore
    let index = KeyIndex()
    let freshness: IndexFreshness
    let verifier: KeyVerifier

    init() {
        store = InMemoryStore(time: clock.source)
        freshness = IndexFreshness(maxStaleness: .seconds(3_600), time: clock.source)
        verifier = KeyVerifier(
            index: index, freshness: freshness,
            lookup: UnknownKeyLookup(store: store, index: index, time: clock.source))
        freshness.recordSync(startedAt: .zero)
    }

    private func put(_ token: Token, state: KeyEntry.State = .active, expiresAt: Timestamp? = nil) {
        index.apply(
            KeyEntry(
                digest: token.digest, keyID: .generate(), version: 1, state: state, expiresAt: expiresAt,
                name: "n"))
    }

    private func decision(_ token: String) async -> Verdict<KeyProfile> {
        await verifier.verify(token, time: clock.source)
    }

    private func refusal(_ token: String) async -> Refusal? {
        if case .refused(let refusal, _) = await decision(token) { refusal } else { nil }
    }

    private func isAdmitted(_ token: Token) async -> Bool {
        if case .admitted(_, let profile) = await decision(token.value) { profile.principal.name == "n" } else { false }
    }

    @Test("a valid key is admitted with its principal")
    func admitted() async {
        let token = Token.generate()
        put(token)
        #expect(await isAdmitted(token))
    }

    @Test("each reason has its refusal")
    func refusals() async {
        let expired = Token.generate()
        put(expired, expiresAt: clock.source.now())
        #expect(await refusal(expired.value) == .expired)
        let disabled = Token.generate()
        put(disabled, state: .disabled)
        #expect(await refusal(disabled.value) == .inactive)
        let revoked = Token.generate()
        put(revoked, state: .deactivated, expiresAt: clock.source.now())
        #expect(await refusal(revoked.value) == .inactive, "revoked takes precedence over expired")
        #expect(await refusal(Token.generate().value) == .unknown)
        for junk in ["", "kw_", "kw_abc", Token.generate().value + "x", "' OR 1=1 --"] {
            #expect(await refusal(junk) == .malformed)
        }
    }

    @Test("a key expires by the clock alone")
    func expiry() async {
        let token = Token.generate()
        put(token, expiresAt: clock.source.now().advanced(by: .seconds(10)))
        #expect(await isAdmitted(token))
        clock.advance(by: .milliseconds(9_999))
        #expect(await isAdmitted(token))
        clock.advance(by: .milliseconds(1))
        #expect(await refusal(token.value) == .expired)
    }

    @Test("malformed tokens cause no statement")
    func malformed() async {
        for number in 0..<10_000 { #expect(await refusal("kw_\(number)") == .malformed) }
        #expect(store.finds == 0)
    }

    @Test("keys created elsewhere are valid at once, however many there are")
    func createdElsewhere() async throws {
        for _ in 0..<500 {
            let token = Token.generate()
            _ = try await store.create(StoreConformance.newKey(digest: token.digest), claim: nil)
            guard case .admitted = await decision(token.value) else {
                Issue.record("refused")
                return
            }
        }
    }

    @Test("a flood of well-formed unknown tokens causes one statement a second")
    func flood() async {
        for _ in 0..<2_000 { #expect(await refusal(Token.generate().value) == .unknown) }
        #expect(store.finds == LookupBudget.burst)
        for _ in 0..<10 {
            clock.advance(by: .seconds(1))
            for _ in 0..<100 { _ = await decision(Token.generate().value) }
        }
        #expect(store.finds == LookupBudget.burst + 10)
    }

    @Test("an unknown token is looked up at most once a second")
    func repeatedUnknown() async {
        let token = Token.generate()
        for _ in 0..<100 { _ = await decision(token.value) }
        #expect(store.finds == 1)
        clock.advance(by: .seconds(1))
        _ = await decision(token.value)
        #expect(store.finds == 2)
    }

    @Test("during an outage known keys are admitted and unknown ones are unavailable")
    func databaseAway() async {
        let known = Token.generate()
        put(known)
        store.isDown = true
        #expect(await decision(Token.generate().value) == .unavailable)
        freshness.recordFailure()
        #expect(await isAdmitted(known))
        for _ in 0..<100 { #expect(await decision(Token.generate().value) == .unavailable) }
        #expect(await refusal("junk") == .malformed)
    }

    @Test("before the first load and beyond the maximum staleness, keys are unavailable")
    func staleness() async {
        let token = Token.generate()
        put(token)
        let unloaded = IndexFreshness(maxStaleness: .seconds(1), time: clock.source)
        let verifier = KeyVerifier(
            index: index, freshness: unloaded,
            lookup: UnknownKeyLookup(store: store, index: index, time: clock.source))
        #expect(await verifier.verify(token.value) == .unavailable)
        clock.advance(by: .seconds(3_600))
        freshness.recordFailure()
        #expect(await isAdmitted(token))
        clock.advance(by: .milliseconds(1))
        freshness.recordFailure()
        #expect(await decision(token.value) == .unavailable)
        freshness.recordSync(startedAt: clock.source.uptime())
        #expect(await isAdmitted(token))
    }
}
