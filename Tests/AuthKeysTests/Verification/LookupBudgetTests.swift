import Testing

@testable import AuthKeys

@Suite("Lookup budget")
struct LookupBudgetTests {
    private let digests = (0..<50).map { _ in Token.generate().digest }

    @Test("requests during a statement share the next one")
    func batches() {
        var budget = LookupBudget(now: .zero)
        #expect(budget.request(digests[0], now: .zero) == .ask([digests[0]]))
        #expect(budget.request(digests[0], now: .zero) == .wait)
        for digest in digests[1..<10] { #expect(budget.request(digest, now: .zero) == .wait) }
        let next = budget.answered(found: [], now: .zero)
        #expect(Set(next.ask) == Set(digests[1..<10]) && next.giveUp.isEmpty)
        #expect(budget.request(digests[0], now: .zero) == .absent, "just found absent")
        #expect(budget.answered(found: Set(digests[1..<10]), now: .zero) == ([], []))
        #expect(
            budget.request(digests[1], now: .zero) == .ask([digests[1]]), "found digests are not remembered as absent")
    }

    @Test("an empty budget gives up waiting requests and refills by one a second")
    func emptiness() {
        var budget = LookupBudget(now: .zero)
        for number in 0..<LookupBudget.burst {
            #expect(budget.request(digests[number], now: .zero) == .ask([digests[number]]))
            if number < LookupBudget.burst - 1 { #expect(budget.answered(found: [], now: .zero) == ([], [])) }
        }
        #expect(budget.request(digests[40], now: .zero) == .exhausted)
        #expect(budget.request(digests[41], now: .seconds(1)) == .wait)
        #expect(Set(budget.answered(found: [], now: .seconds(1)).ask) == [digests[41]])
        #expect(budget.answered(found: [], now: .seconds(1)) == ([], []))
        #expect(budget.request(digests[42], now: .milliseconds(1_900)) == .exhausted)
        #expect(budget.request(digests[42], now: .seconds(2)) == .ask([digests[42]]))
    }

    @Test("a failed statement marks no digest as absent")
    func failure() {
        var budget = LookupBudget(now: .zero)
        _ = budget.request(digests[0], now: .zero)
        _ = budget.answered(found: nil, now: .zero)
        #expect(budget.request(digests[0], now: .zero) == .ask([digests[0]]))
    }
}

private func == (left: (ask: [SecretDigest], giveUp: [SecretDigest]), right: ([SecretDigest], [SecretDigest])) -> Bool {
    left.ask == right.0 && left.giveUp == right.1
}
