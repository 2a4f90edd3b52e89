import Testing

@testable import RequestLog

@Suite("Log sampler")
struct LogSamplerTests {
    /// Returns the weights of so many requests of a class in one second.
    private func weights(
        _ sampler: inout LogSampler, _ kind: LogSampler.Class, _ requests: Int, second: Int64 = 0, pressure: Int = 0
    ) -> [UInt32] {
        (0..<requests).compactMap { _ in sampler.weight(of: kind, second: second, pressure: pressure) }
    }

    @Test(
        "requests within the budget have a line each, and further ones share lines",
        arguments: LogSampler.Class.allCases)
    func budgets(kind: LogSampler.Class) {
        var sampler = LogSampler()
        let budget = LogSampler.budgets[kind.rawValue]
        let kept = weights(&sampler, kind, budget + 1_000)
        #expect(kept == Array(repeating: 1, count: budget) + Array(repeating: LogSampler.overflowInterval, count: 10))
        #expect(weights(&sampler, kind, 2, second: 1) == [1, 1])
    }

    @Test("the weights and the omitted requests sum to the number of requests")
    func sums() {
        var sampler = LogSampler(ratio: 0.3, producers: 3)
        var random = SystemRandomNumberGenerator()
        var (requests, sum) = (0, 0)
        for second in 0..<50 {
            for kind in LogSampler.Class.allCases {
                let count = Int.random(in: 0...9_000, using: &random)
                requests += count
                let kept = weights(
                    &sampler, kind, count, second: Int64(second), pressure: Int.random(in: 0...8, using: &random))
                sum += kept.reduce(0) { $0 + Int($1) }
            }
        }
        #expect(sum + sampler.takeOmitted() == requests && sampler.takeOmitted() == 0)
    }

    @Test("admitted requests are sampled by the ratio, refused ones are not")
    func ratio() {
        var sampler = LogSampler(ratio: 0.1)
        #expect(weights(&sampler, .admitted, 1_000) == Array(repeating: 10, count: 100))
        #expect(weights(&sampler, .refused, 3) == [1, 1, 1])
        var none = LogSampler(ratio: 0)
        #expect(weights(&none, .admitted, 1_000) == [] && none.takeOmitted() == 1_000)
    }

    @Test("a queue that fills up thins out the lines")
    func pressure() {
        var sampler = LogSampler()
        #expect(weights(&sampler, .admitted, 100, pressure: 3).count == 100)
        #expect(weights(&sampler, .admitted, 100, second: 1, pressure: 4).count == 10)
        #expect(weights(&sampler, .refused, 100, second: 1, pressure: 5).count == 100)
        #expect(weights(&sampler, .admitted, 100, second: 2, pressure: 6).count == 1)
        #expect(weights(&sampler, .refused, 100, second: 2, pressure: 8).count == 10)
    }

    @Test("requests that a busy second omitted last are lost with it, and not added to a later request")
    func lost() {
        var sampler = LogSampler()
        let budget = LogSampler.budgets[LogSampler.Class.anonymous.rawValue]
        #expect(weights(&sampler, .anonymous, budget + 40).count == budget)
        #expect(sampler.takeLost(in: 0) == 0 && sampler.takeLost(in: 1) == 40 && sampler.takeLost(in: 2) == 0)
        #expect(weights(&sampler, .anonymous, 1, second: 9) == [1])
        // A ratio omits requests in every second, and the next line stands for them.
        var usual = LogSampler(ratio: 0.1)
        #expect(weights(&usual, .admitted, 9) == [] && usual.takeLost(in: 1) == 0)
        #expect(weights(&usual, .admitted, 1, second: 1) == [10])
    }
}
