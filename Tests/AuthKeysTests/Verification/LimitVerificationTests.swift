import HTTPCredentials
import Logging
import TestSupport
import Testing

@testable import AuthKeys

@Suite("Limits at verification")
struct LimitVerificationTests {
    private let clock = ManualClock()
    private let index = KeyIndex()
    private let freshness: IndexFreshness
    private let lines = LogLines()
    private let limiter: Limiter

    init() {
        limiter = Limiter(time: clock.source)
        freshness = IndexFreshness(maxStaleness: .seconds(3_600), time: clock.source)
        freshness.recordSync(startedAt: .zero)
    }

    private func verifier(_ limiter: Limiter? = nil) -> KeyVerifier {
        KeyVerifier(
            index: index, freshness: freshness,
            lookup: UnknownKeyLookup(store: InMemoryStore(time: clock.source), index: index, time: clock.source),
            limiter: limiter ?? self.limiter, time: clock.source,
            logger: Logger(label: "test") { _ in lines.handler })
    }

    /// A limit of so many requests in an hour.
    private func hourly(_ name: String = "hour", _ limit: Int64 = 2, isAsked: Bool = false) throws -> LimitRule {
        try #require(
            LimitRule(name, .rate(period: .seconds(3_600), burst: limit), limit: limit, isAsked: isAsked))
    }

    /// A request that names limits, with its costs.
    private func naming(_ limits: [String: Int64], cost: Int64 = 1) throws -> Spending {
        let asked = try limits.map { name, cost in try #require(Spending.Asked(name, cost: cost)) }
        return try #require(Spending(cost: cost, asked: asked))
    }

    private func put(_ attributes: KeyAttributes, _ token: Token = .generate()) -> Token {
        index.apply(attributes.entry(of: token.digest, id: .generate(), version: 1))
        return token
    }

    private func ask(
        _ verifier: KeyVerifier, _ token: Token, method: String = "GET", scopes: [String] = [],
        spending: Spending = .one, owners: OwnerScope = .all
    ) async throws -> (refusal: Refusal?, limits: [LimitStatus]) {
        let request = IncomingRequest(
            credential: .token(token.value), method: method, path: "/v1",
            scopes: try #require(ScopeRequirement(scopes)), spending: spending)
        let outcome = await RequestVerifier(verifier: verifier, time: clock.source).decide(request, owners: owners)
        switch outcome {
        case .verdict(.admitted(_, let profile), _): return (nil, profile.limits)
        case .verdict(.refused(let refusal, let profile), _): return (refusal, profile?.limits ?? [])
        default: throw TestSupportError("\(outcome)")
        }
    }

    @Test("a key is refused once its units are taken, with the state of its limits")
    func spent() async throws {
        let verifier = verifier()
        let token = put(KeyAttributes(name: "n", limits: [try hourly()]))
        for left in [1, 0] as [Int64] {
            let (refusal, limits) = try await ask(verifier, token)
            #expect(refusal == nil && limits.map(\.remaining) == [left] && limits.map(\.refusal) == [nil])
        }
        let (refusal, limits) = try await ask(verifier, token)
        #expect(refusal == .rateLimited && limits.map(\.name) == ["hour"] && limits.map(\.limit) == [2])
        #expect(limits.first?.refusal == .rateLimited && limits.first?.retryAfter ?? .zero > .seconds(1_700))
        let other = put(KeyAttributes(name: "n", limits: [try hourly()]))
        #expect(try await ask(verifier, other).refusal == nil)
    }

    @Test("a refusal by another rule, a recheck, a lookup of the holder and a peek take nothing")
    func unspent() async throws {
        let verifier = verifier()
        let token = put(KeyAttributes(name: "n", allowedMethods: ["GET"], limits: [try hourly("hour", 1)]))
        for _ in 0..<3 {
            #expect(try await ask(verifier, token, method: "POST").refusal == .methodNotAllowed)
            #expect(try await ask(verifier, token, scopes: ["a"]).refusal == .scopeMissing)
            #expect(try await ask(verifier, token, spending: .none).limits.isEmpty)
            #expect(try await ask(verifier, token, spending: .peek).limits.map(\.remaining) == [1])
            let status = Array("GET".utf8).withUnsafeBytes {
                verifier.recheck(token.digest, for: AccessRequest(method: $0), at: clock.source.now())
            }
            #expect(status == .valid(expiresAt: nil))
            guard case .key(let profile) = await verifier.identify(token.value, owners: .all) else {
                Issue.record("the key is known")
                return
            }
            #expect(profile.limits.isEmpty)
        }
        #expect(try await ask(verifier, token).refusal == nil)
        #expect(try await ask(verifier, token).refusal == .rateLimited)
        let status = Array("GET".utf8).withUnsafeBytes {
            verifier.recheck(token.digest, for: AccessRequest(method: $0), at: clock.source.now())
        }
        #expect(status == .valid(expiresAt: nil), "a running exchange ends for no limit")
    }

    @Test("a caller that may not see the key takes nothing")
    func otherOwner() async throws {
        let verifier = verifier()
        let token = put(KeyAttributes(name: "n", owner: "a", limits: [try hourly("hour", 1)]))
        for _ in 0..<3 {
            let (refusal, limits) = try await ask(verifier, token, owners: OwnerScope(owner: "b"))
            #expect(refusal == .unknown && limits.isEmpty)
        }
        #expect(try await ask(verifier, token, owners: OwnerScope(owner: "a")).refusal == nil)
        #expect(try await ask(verifier, token).refusal == .rateLimited)
    }

    @Test("a cost takes as many units, and a limit that is named takes its own")
    func costs() async throws {
        let verifier = verifier()
        let token = put(
            KeyAttributes(name: "n", limits: [try hourly("hour", 10), try hourly("export", 5, isAsked: true)]))
        #expect(
            try await ask(verifier, token, spending: try naming([:], cost: 3)).limits.map(\.remaining) == [7])
        let export = try naming(["export": 4])
        let (refusal, limits) = try await ask(verifier, token, spending: export)
        #expect(refusal == nil && limits.map(\.name) == ["hour", "export"] && limits.map(\.remaining) == [6, 1])
        #expect(try await ask(verifier, token, spending: export).refusal == .rateLimited)
    }

    @Test("a request that names an unknown limit is refused, and takes nothing")
    func unknownLimit() async throws {
        let verifier = verifier()
        let limited = put(KeyAttributes(name: "n", limits: [try hourly("hour", 1)]))
        let free = put(KeyAttributes(name: "n"))
        let asked = try naming(["hour": 1, "export": 1])
        for token in [limited, free] {
            let (refusal, limits) = try await ask(verifier, token, spending: asked)
            #expect(refusal == .limitUnknown && limits.isEmpty)
        }
        #expect(try await ask(verifier, limited).limits.map(\.remaining) == [0])
    }

    @Test("a limit that the request defines applies to its key, in place of the key's limit of that name")
    func defined() async throws {
        let verifier = verifier()
        let limited = put(KeyAttributes(name: "n", limits: [try hourly("a", 10), try hourly("b", 9)]))
        let free = put(KeyAttributes(name: "n"))
        let definition = try #require(Spending.Asked(try hourly("a", 2), cost: 1))
        let asked = try #require(Spending(asked: [definition]))
        let (refusal, limits) = try await ask(verifier, limited, spending: asked)
        #expect(refusal == nil && Set(limits.map { "\($0.name) \($0.remaining)" }) == ["a 1", "b 8"])
        for left in [1, 0] as [Int64] {
            #expect(try await ask(verifier, free, spending: asked).limits.map(\.remaining) == [left])
        }
        #expect(try await ask(verifier, free, spending: asked).refusal == .rateLimited)
        #expect(try await ask(verifier, free).refusal == nil)
    }

    @Test("a report-only limit refuses nothing, and is logged", arguments: ["limits", "limits.hour"])
    func reportOnly(_ rule: String) async throws {
        let verifier = verifier()
        let token = put(KeyAttributes(name: "n", limits: [try hourly("hour", 1)], reportOnly: [rule]))
        #expect(try await ask(verifier, token).refusal == nil && lines.all.isEmpty)
        let (refusal, limits) = try await ask(verifier, token)
        #expect(refusal == nil && limits.map(\.isReportOnly) == [true] && limits.map(\.refusal) == [.rateLimited])
        #expect(lines.all.count == 1 && lines.all.first?.contains("limits") == true, "\(lines.all)")
    }

    @Test("in report mode all limits report, and in off mode none is evaluated")
    func modes() async throws {
        let token = put(KeyAttributes(name: "n", limits: [try hourly("hour", 1)]))
        let reporting = verifier(Limiter(options: LimitOptions(mode: .report), time: clock.source))
        for left in [nil, .rateLimited] as [Refusal?] {
            let (refusal, limits) = try await ask(reporting, token)
            #expect(refusal == nil && limits.map(\.refusal) == [left] && limits.map(\.isReportOnly) == [true])
        }
        #expect(lines.all.count == 1)
        let off = verifier(Limiter(options: LimitOptions(mode: .off), time: clock.source))
        for _ in 0..<3 { #expect(try await ask(off, token).refusal == nil) }
        let asked = try naming(["none": 1])
        #expect(try await ask(off, token, spending: asked).refusal == nil)
        #expect(lines.all.count == 1)
    }

    @Test("of a token that belongs to several keys, only the deciding key takes units")
    func schemes() async throws {
        let verifier = verifier()
        let text = "sk_gom_0123456789abcdef"
        let first = try #require(TokenScheme(prefix: "sk_gom_", algorithm: .sha256, part: .suffix))
        let second = try #require(TokenScheme(prefix: "sk_gom_", algorithm: .sha256, part: .token))
        index.schemes.add([first, second])
        var digests: [SecretDigest] = []
        Array(text.utf8).withUnsafeBytes { token in index.schemes.forEachDigest(of: token) { digests.append($0) } }
        #expect(digests.count == 2)
        for digest in digests {
            index.apply(
                KeyAttributes(name: "n", limits: [try hourly("hour", 5)]).entry(of: digest, id: .generate(), version: 1)
            )
        }
        let request = IncomingRequest(credential: .token(text))
        let outcome = await RequestVerifier(verifier: verifier, time: clock.source).decide(request)
        guard case .verdict(.admitted(let key, let profile), _) = outcome else { throw TestSupportError("\(outcome)") }
        #expect(profile.limits.map(\.remaining) == [4])
        let other = try #require(digests.first { $0 != key.digest })
        let spent = index.withKey(for: other) { view in
            limiter.take(
                plan: nil, limits: PolicyView(view.texts.policy).limits?.limits ?? .init(start: nil, count: 0),
                hasCredits: false, key: view.id, owner: view.texts.owner, for: AccessRequest(spending: .peek)
            ) { $1[0].remaining }
        }
        #expect(spent == 5)
    }

    @Test("an explanation has a step for each limit, and takes nothing")
    func explained() async throws {
        let key = AuthKey(
            id: .generate(), attributes: KeyAttributes(name: "n", limits: [try hourly("hour", 1)]), prefix: "kw",
            lastFour: "abcd", deactivatedAt: nil, createdAt: clock.source.now(), updatedAt: clock.source.now(),
            version: 1)
        func explain() -> Explanation {
            Explanation(
                key, method: "GET", path: "/a", address: nil, scopes: .none, limiter: limiter, at: clock.source.now())
        }
        for _ in 0..<2 {
            #expect(explain().steps.map(\.rule) == ["state", "limits.hour"] && explain().refusal == nil)
            #expect(explain().steps.last?.limit?.remaining == 1)
        }
    }

    @Test("a request waits until its credits are leased, and is refused only if there are none", arguments: [1, 0])
    func awaitedLease(remaining: Int64) async throws {
        let store = InMemoryLimits()
        let limiter = Limiter(options: LimitOptions(firstUse: .wait))
        let sync = LimitSync(
            limiter: limiter, store: store, instance: .generate(), logger: Logger(label: "test") { _ in lines.handler }
        ) { 1 }
        let (token, id) = (Token.generate(), KeyID.generate())
        let key = KeyAttributes(name: "n", credits: KeyCredits(remaining: remaining))
        index.apply(key.entry(of: token.digest, id: id, version: 1))
        store[credits: id] = .init(remaining: remaining)
        let verifier = verifier(limiter)
        // The first request may come before the exchanges.
        limiter.exchanges.follow(true)
        let running = Task { await sync.run() }
        let first = try await ask(verifier, token)
        let second = try await ask(verifier, token)
        running.cancel()
        await running.value
        #expect(first.refusal == (remaining > 0 ? nil : .creditsExhausted))
        #expect(second.refusal == .creditsExhausted)
        #expect(store[credits: id]?.remaining == 0)
    }

    @Test("no request waits for a lease while the database does not respond")
    func absentDatabase() async throws {
        let store = InMemoryLimits()
        store.failure = StoreError(.unavailable, detail: "away")
        let limiter = Limiter(options: LimitOptions(firstUse: .wait))
        let sync = LimitSync(
            limiter: limiter, store: store, instance: .generate(), logger: Logger(label: "test") { _ in lines.handler }
        ) { 1 }
        let token = put(KeyAttributes(name: "n", credits: KeyCredits(remaining: 5)))
        let verifier = verifier(limiter)
        #expect(try await ask(verifier, token).refusal == .creditsExhausted)
        _ = await sync.exchange()
        #expect(try await ask(verifier, token).refusal == .creditsExhausted)
    }
}
