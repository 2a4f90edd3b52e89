import AuthKeys
import HTTPCredentials
import TestSupport
import Testing

@Suite("RateLimit fields")
struct LimitFieldsTests {
    private func state(
        _ name: String, _ limit: Int64, window: Duration? = .seconds(60), remaining: Int64 = 0,
        reset: Duration? = .zero, retryAfter: Duration? = nil, refusal: Refusal? = nil, isReportOnly: Bool = false,
        kind: LimitUse.Kind = .rate
    ) -> LimitStatus {
        LimitStatus(
            name: name, limit: limit, window: window, remaining: remaining, reset: reset, retryAfter: retryAfter,
            refusal: refusal, isReportOnly: isReportOnly, kind: kind)
    }

    private func text(_ states: [LimitStatus]) -> [String] {
        LimitFields.fields(states).map { "\($0.name): \($0.value)" }
    }

    @Test("the fields are lists of strings with parameters, in the order of the limits")
    func fields() {
        let states = [
            state("minute", 600, remaining: 288, reset: .milliseconds(30_001)),
            state("day", 50_000, window: .seconds(86_400), remaining: 4_100, reset: .seconds(38_400), kind: .quota),
            state("at-a-time", 20, window: nil, remaining: 3, reset: nil, kind: .concurrent),
            state("trial", 1, isReportOnly: true), state("credits", 9, window: nil, kind: .credits),
        ]
        #expect(
            text(states) == [
                #"RateLimit-Policy: "minute";q=600;w=60, "day";q=50000;w=86400, "at-a-time";q=20;qu="concurrent-requests""#,
                #"RateLimit: "minute";r=288;t=31, "day";r=4100;t=38400, "at-a-time";r=3"#,
            ])
    }

    @Test("limits that a client need not observe have no field")
    func noFields() {
        #expect(text([]).isEmpty)
        #expect(text([state("trial", 1, isReportOnly: true), state("c", 1, window: nil, kind: .credits)]).isEmpty)
    }

    @Test("the largest numbers fit, and those beyond an Integer of RFC 9651 are cut")
    func largest() {
        let name = String(repeating: "n", count: 32)
        let states = [
            state(
                name, LimitRule.unitLimit, window: .seconds(2_678_400), remaining: .max,
                reset: .seconds(2_678_400))
        ]
        #expect(
            text(states) == [
                "RateLimit-Policy: \"\(name)\";q=1000000000000;w=2678400",
                "RateLimit: \"\(name)\";r=999999999999999;t=2678400",
            ])
    }

    @Test("Retry-After is the longest wait of all limits that refuse, rounded up")
    func retryAfter() throws {
        let states = [
            state("a", 1, retryAfter: .seconds(10), refusal: .rateLimited), state("b", 1),
            state("c", 1, retryAfter: .milliseconds(100_001), refusal: .quotaExceeded, kind: .quota),
            state("d", 1, retryAfter: .seconds(1_000), refusal: .rateLimited, isReportOnly: true),
        ]
        let refusal = try #require(LimitRefusal(states))
        #expect(refusal.refusal == .rateLimited && refusal.message == "the API key has reached a rate limit: 'a'")
        #expect(refusal.retryAfter == 101)
    }

    @Test("Retry-After is at least a second, and absent where no units come back")
    func retryAfterBounds() throws {
        let soon = state("a", 1, retryAfter: .milliseconds(1), refusal: .rateLimited)
        #expect(LimitRefusal([soon])?.retryAfter == 1)
        let slots = state("a", 1, window: nil, reset: nil, refusal: .concurrencyExceeded, kind: .concurrent)
        #expect(LimitRefusal([slots])?.retryAfter == 1)
        let empty = state("", 1, window: nil, reset: nil, refusal: .creditsExhausted, kind: .credits)
        let credits = try #require(LimitRefusal([empty, soon]))
        #expect(
            credits.retryAfter == nil && credits.name.isEmpty && credits.message == Refusal.creditsExhausted.message)
        #expect(LimitRefusal([state("a", 1)]) == nil)
    }

    @Test(
        "problem details are preferred where the client names them before or above JSON",
        arguments: [
            ("application/problem+json", true), ("Application/Problem+JSON;charset=utf-8", true),
            ("application/problem+json, application/json", true), ("application/json, application/problem+json", false),
            ("application/json;q=0.5, application/problem+json", true), ("application/problem+json;q=0.9,*/*", false),
            ("application/problem+json , */*;q=0.1", true), ("*/*", false), ("application/*", false), ("", false),
            ("application/json", false), ("application/problem+json;q=0", false), ("text/html, */*;q=0.8", false),
            ("application/problem+json;q=0.5, application/*;q=0.6", false),
            ("application/problem+json;q=nan", false), (",;,application/problem+json;", true),
        ])
    func accept(_ value: String, _ isPreferred: Bool) {
        var types = AcceptedTypes()
        Array(value.utf8).withUnsafeBytes { types.add($0) }
        #expect(types.prefersProblem == isPreferred)
    }
}
