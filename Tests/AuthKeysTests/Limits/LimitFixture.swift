import Logging
import TestSupport
import Testing

@testable import AuthKeys

/// One or more instances on an in-memory store, with a clock that the test advances.
struct LimitFixture {
    let clock = ManualClock()
    let store: InMemoryLimits
    let limiters: [Limiter]
    let syncs: [LimitSync]

    var limiter: Limiter { limiters[0] }
    var sync: LimitSync { syncs[0] }

    init(instances: Int = 1, options: LimitOptions = LimitOptions()) {
        let store = InMemoryLimits(time: clock.source)
        let time = clock.source
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        self.store = store
        limiters = (0..<instances).map { _ in Limiter(options: options, time: time, logger: logger) }
        syncs = limiters.enumerated().map { number, limiter in
            LimitSync(
                limiter: limiter, store: store, instance: KeyID(high: 9, low: UInt64(number) + 1), logger: logger
            ) { instances }
        }
        for sync in syncs { sync.observe() }
    }

    /// Advances the clock, and lets each instance exchange units.
    func pass(_ seconds: Double, step: Double = 0.25) async {
        var rest = seconds
        while rest > 1e-9 {
            clock.advance(by: .seconds(min(step, rest)))
            rest -= step
            await exchange()
        }
    }

    func exchange() async {
        for sync in syncs {
            sync.observe()
            _ = await sync.exchange()
        }
    }

    /// The outcome of a request, which outlives it.
    struct Outcome {
        struct Use {
            let name: String
            let limit: Int64
            let remaining: Int64
            let reset: Duration?
            let retryAfter: Duration?
            let refusal: Refusal?
            let isReportOnly: Bool
        }

        let refusal: Refusal?
        let uses: [Use]
        let awaitsAnswer: Bool
        var ticket: LimitTicket
        var reservation = LimitReservation()

        subscript(name: String) -> Use? { uses.first { $0.name == name } }
    }

    /// Makes a request.
    /// - Parameter instance: the instance that gets it.
    @discardableResult
    func take(
        _ limits: [LimitRule] = [], plan: String? = nil, hasCredits: Bool = false, reportOnly: [String] = [],
        key: KeyID = KeyID(high: 1, low: 1), owner: String = "", spending: Spending = .one, method: String = "GET",
        path: String = "/", version: UInt32 = 1, instance: Int = 0
    ) -> Outcome {
        guard let policy = KeyPolicy(limits: limits, plan: plan, hasCredits: hasCredits, reportOnly: reportOnly) else {
            preconditionFailure("the policy is valid")
        }
        let (owner, method, path) = (Array(owner.utf8), Array(method.utf8), Array(path.utf8))
        return policy.bytes.withUnsafeBytes { bytes in
            owner.withUnsafeBytes { owner in
                method.withUnsafeBytes { method in
                    path.withUnsafeBytes { path in
                        let view = PolicyView(bytes)
                        let limits = view.limits
                        return limiters[instance].take(
                            plan: limits?.plan, limits: limits?.limits ?? UnsafeRawBufferPointer(start: nil, count: 0),
                            hasCredits: view.hasCredits, key: key, owner: owner,
                            for: AccessRequest(method: method, path: path, spending: spending), version: version,
                            reportOnly: view.reportOnly, mayWait: true
                        ) { refusal, uses in
                            var reservation = LimitReservation()
                            uses.reserve(in: &reservation)
                            return Outcome(
                                refusal: refusal,
                                uses: (0..<uses.count).map { number in
                                    let use = uses[number]
                                    return Outcome.Use(
                                        name: String(decoding: use.name, as: UTF8.self), limit: use.limit,
                                        remaining: use.remaining, reset: use.reset, retryAfter: use.retryAfter,
                                        refusal: use.refusal, isReportOnly: use.isReportOnly)
                                }, awaitsAnswer: uses.awaitsAnswer, ticket: uses.ticket, reservation: reservation)
                        }
                    }
                }
            }
        }
    }

    /// Makes requests, and returns the number of those that were admitted.
    func admitted(_ count: Int, _ limits: [LimitRule], instance: Int = 0) -> Int {
        (0..<count).count { _ in take(limits, instance: instance).refusal == nil }
    }
}

extension LimitRule {
    /// A rate of units per second.
    static func rate(
        _ name: String = "rate", _ limit: Int64, per period: Duration = .seconds(1), burst: Int64? = nil,
        match: [String] = [], isAsked: Bool = false
    ) -> LimitRule {
        rule(name, .rate(period: period, burst: burst ?? limit), limit, match, isAsked)
    }

    static func quota(_ name: String = "quota", _ limit: Int64, per period: CalendarPeriod = .hour) -> LimitRule {
        rule(name, .quota(period), limit, [], false)
    }

    static func concurrent(_ name: String = "at-a-time", _ limit: Int64) -> LimitRule {
        rule(name, .concurrent, limit, [], false)
    }

    private static func rule(
        _ name: String, _ kind: Kind, _ limit: Int64, _ match: [String], _ isAsked: Bool
    ) -> LimitRule {
        let patterns = match.compactMap { RequestPattern($0) }
        guard let rule = LimitRule(name, kind, limit: limit, match: patterns, isAsked: isAsked) else {
            preconditionFailure("the limit is valid")
        }
        return rule
    }
}

extension Spending {
    static func cost(_ cost: Int64, asked: [(String, Int64)] = []) -> Spending {
        guard let spending = Spending(cost: cost, asked: asked.compactMap { Asked($0.0, cost: $0.1) }) else {
            preconditionFailure("the cost is valid")
        }
        return spending
    }

    /// A request whose end is reported.
    static var held: Spending {
        var spending = Spending.one
        spending.holdsSlots = true
        return spending
    }
}
