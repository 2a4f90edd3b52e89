import AuthKeysPostgres
import HTTPCredentials
import KeyAdministrationPostgres
import LibPQ
import TestSupport
import Testing

@testable import AuthKeys
@testable import KeyAdministration

@Suite("Changes of limits in PostgreSQL", .timeLimit(.minutes(10)))
struct LimitChangeTests {
    /// An instance with an admin's service.
    private struct Instance: Sendable {
        let verification: PostgresVerification
        let service: AuthKeyService

        init(_ verification: PostgresVerification) {
            self.verification = verification
            service = AuthKeyService(
                store: PostgresAuthKeyStore(feed: verification.feed), index: verification.index,
                limits: verification.limitSync)
        }

        func verify(_ token: String) async -> Refusal? {
            let request = IncomingRequest(credential: .token(token), method: "GET", path: "/", spending: .one)
            switch await RequestVerifier(verifier: verification.verifier).decide(request, owners: .all) {
            case .verdict(.admitted, _): return nil
            case .verdict(.refused(let refusal, _), _): return refusal
            default: return .unknown
            }
        }

        /// Verifies a key until it is refused, and returns the number of requests that were admitted.
        func exhaust(_ token: String) async -> Int {
            for count in 0..<1_000 where await verify(token) != nil { return count }
            return 1_000
        }
    }

    private static func withTwo(
        _ body: @escaping @Sendable (_ one: Instance, _ other: Instance) async throws -> Void
    ) async throws {
        let names = [try #require(InstanceName("one")), try #require(InstanceName("other"))]
        let identities = names.map { InstanceIdentity(name: $0, kind: .serve) }
        try await StoreFixture.with { fixture in
            try await InstanceTests.run(fixture.connectionString, as: identities[0]) { one in
                try await InstanceTests.run(fixture.connectionString, as: identities[1]) { other in
                    try await body(Instance(one), Instance(other))
                }
            }
        }
    }

    private static func hourly(_ limit: Int64) throws -> LimitRule {
        try #require(LimitRule("hour", .rate(period: .seconds(3_600), burst: limit), limit: limit))
    }

    @Test("a reset limit has room from the next request, on the admin's instance at once")
    func reset() async throws {
        try await Self.withTwo { one, other in
            let issued = try await one.service.create(
                KeyRequest(attributes: KeyAttributes(name: "n", limits: [try Self.hourly(6)])), by: .test)
            let token = issued.token.value
            try await eventually("the key on the other instance") { await other.verify(token) == nil }
            try await eventually("a whole limit is taken") {
                _ = await (one.exhaust(token), other.exhaust(token))
                let level = try await one.service.limits(ofKey: issued.key.id.description, for: .bootstrap)
                return (level.limits.first?.level.used ?? 0) > 5.9
            }
            try await one.service.resetLimit("hour", ofKey: issued.key.id.description, by: .test)
            #expect(await one.verify(token) == nil)
            try await eventually("the other instance has room") { await other.verify(token) == nil }
        }
    }

    @Test("a changed plan and changed limits of an owner hold for the next request on the admin's instance")
    func definitions() async throws {
        try await Self.withTwo { one, other in
            let (plan, owner) = (LimitHolder.plan("gold"), LimitHolder.owner("acme"))
            func set(_ holder: LimitHolder, _ limit: Int64) async throws {
                _ = try await one.service.setLimits(
                    of: holder, version: nil, to: .init(limits: [try Self.hourly(limit)]), by: .test)
            }
            try await set(plan, 2)
            let issued = try await one.service.create(
                KeyRequest(attributes: KeyAttributes(name: "n", owner: "acme", plan: "gold")), by: .test)
            let token = issued.token.value
            #expect(await one.exhaust(token) <= 2)
            try await set(plan, 100)
            #expect(await one.verify(token) == nil)
            try await set(owner, 1)
            #expect(await one.exhaust(token) <= 1)
            try await set(owner, 100)
            #expect(await one.verify(token) == nil)
            try await eventually("the other instance knows both") { await other.verify(token) == nil }
            try await one.service.removeLimits(of: owner, version: nil, by: .test)
            #expect(!one.verification.limiter.hasOwnerLimits)
            try await eventually("the other instance knows it") { !other.verification.limiter.hasOwnerLimits }
        }
    }

    @Test("an addition to a balance below zero pays the debt first, and a subtraction leaves no new one")
    func debts() async throws {
        try await StoreFixture.with { fixture in
            let key = StoreConformance.newKey(name: "n")
            try await fixture.create(key)
            try await fixture.sql(
                """
                UPDATE auth_keys SET has_credits = true WHERE id = '\(key.id)';
                INSERT INTO auth_key_credits (key_id, remaining) VALUES ('\(key.id)', -50)
                """)
            let changes: [(CreditChange, Int64)] = [
                (.add(10), -40), (.subtract(5), -40), (.add(100), 60), (.subtract(70), 0),
            ]
            for (change, left) in changes {
                _ = try await fixture.store.changeCredits(of: key.id, change, claim: nil, by: .test)
                let rows = try await fixture.admin.query("SELECT remaining FROM auth_key_credits").rows
                #expect(try rows.first?.int64(0) == left, "\(change)")
            }
        }
    }
}
