import AuthKeys
import HTTPCredentials
import RequestLog

/// Measures the nanoseconds that the roll-ups of requests cost per request.
enum TrafficBenchmark {
    private static let rounds = 5
    private static let requests = 2_000_000
    /// The requests between two hand-overs: 5 seconds at 20,000 requests a second.
    private static let requestsPerHandOver = 100_000

    static func run(_ counts: [Int]) {
        print("      keys   ledger ns   ledger ns with hand-over")
        for count in counts {
            let lines = lines(keys: max(1, count))
            var counting: [Double] = []
            var handingOver: [Double] = []
            for _ in 0..<rounds {
                counting.append(measure(lines, handOverAfter: .max))
                handingOver.append(measure(lines, handOverAfter: requestsPerHandOver))
            }
            print(
                "\(count)".leftPadded(10), rounded(KeyBenchmark.median(counting), 1).leftPadded(11),
                rounded(KeyBenchmark.median(handingOver), 1).leftPadded(26))
        }
    }

    /// Returns requests of random keys: 95 % are admitted, the others are refused for one of four reasons.
    private static func lines(keys: Int) -> [RequestLine] {
        let ids = (0..<keys).map { _ in KeyID.generate() }
        let codes = ["rate_limited", "scope_missing", "path_not_allowed", "key_expired"]
        return (0..<65_536).map { number in
            let isAdmitted = Int.random(in: 0..<20) > 0
            let code = isAdmitted ? nil : codes[Int.random(in: 0..<4)]
            let outcome: RequestOutcome = code.map { $0 == codes[0] ? .limited : .denied } ?? .allowed
            var line = RequestLine(
                at: Timestamp(microseconds: 1_800_000_000_000_000 + Int64(number) * 50),
                id: RequestID(high: 0, low: UInt64(number)), surface: .gateway, outcome: outcome,
                status: isAdmitted ? 200 : 403, code: code, keyID: ids[Int.random(in: 0..<keys)])
            line.microseconds = Int64.random(in: 200...40_000)
            line.bytesOut = 1_000
            return line
        }
    }

    private static func measure(_ lines: [RequestLine], handOverAfter limit: Int) -> Double {
        var ledger = TrafficLedger()
        var (sinceHandOver, counted) = (0, 0)
        let start = ContinuousClock.now
        for number in 0..<requests {
            ledger.count(lines[number & (lines.count - 1)])
            sinceHandOver += 1
            if sinceHandOver == limit {
                sinceHandOver = 0
                counted += ledger.take().minutes.reduce(0) { $0 + Int($1.sum.requests) }
            }
        }
        let elapsed = ContinuousClock.now - start
        counted += ledger.take().minutes.reduce(0) { $0 + Int($1.sum.requests) }
        precondition(counted == requests)
        return elapsed / .nanoseconds(1) / Double(requests)
    }
}
