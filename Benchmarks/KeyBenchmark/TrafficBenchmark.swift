import AuthKeys
import Glibc
import HTTPCredentials
import RequestLog

/// Measures the nanoseconds that the roll-ups of requests cost per request.
enum TrafficBenchmark {
    private static let rounds = 5
    private static let requests = 2_000_000
    /// The requests between two hand-overs: 5 seconds at 20,000 requests a second.
    private static let requestsPerHandOver = 100_000

    static func run(_ counts: [Int]) {
        print("      keys   loop alone ns   ledger ns   ledger ns with hand-over   (CPU time, without the loop)")
        for count in counts {
            let (lines, keys) = (lines(), keys(max(1, count)))
            var bare: [Double] = []
            var counting: [Double] = []
            var handingOver: [Double] = []
            for _ in 0..<rounds {
                bare.append(measure(lines, keys, handOverAfter: nil))
                counting.append(measure(lines, keys, handOverAfter: .max))
                handingOver.append(measure(lines, keys, handOverAfter: requestsPerHandOver))
            }
            let loop = KeyBenchmark.median(bare)
            print(
                "\(count)".leftPadded(10), rounded(loop, 1).leftPadded(15),
                rounded(KeyBenchmark.median(counting) - loop, 1).leftPadded(11),
                rounded(KeyBenchmark.median(handingOver) - loop, 1).leftPadded(26))
        }
    }

    /// Returns requests: 95 % are admitted, the others are refused for one of four reasons.
    private static func lines() -> [RequestLine] {
        let codes = ["rate_limited", "scope_missing", "path_not_allowed", "key_expired"]
        return (0..<512).map { number in
            let isAdmitted = Int.random(in: 0..<20) > 0
            let code = isAdmitted ? nil : codes[Int.random(in: 0..<4)]
            let outcome: RequestOutcome = code.map { $0 == codes[0] ? .limited : .denied } ?? .allowed
            var line = RequestLine(
                at: Timestamp(microseconds: 1_800_000_000_000_000 + Int64(number) * 50),
                id: RequestID(high: 0, low: UInt64(number)), surface: .gateway, outcome: outcome,
                status: isAdmitted ? 200 : 403, code: code)
            line.microseconds = Int64.random(in: 200...40_000)
            line.bytesOut = 1_000
            return line
        }
    }

    /// Returns the keys of consecutive requests, in a random order.
    private static func keys(_ count: Int) -> [KeyID] {
        let keys = (0..<count).map { _ in KeyID.generate() }
        return (0..<262_144).map { _ in keys[Int.random(in: 0..<count)] }
    }

    /// Returns the CPU time of a request, in nanoseconds.
    /// - Parameter limit: the number of requests after which the ledger is taken; nil to count nothing.
    private static func measure(_ lines: [RequestLine], _ keys: [KeyID], handOverAfter limit: Int?) -> Double {
        var ledger = TrafficLedger()
        var (sinceHandOver, counted, sum) = (0, 0, UInt64(0))
        let start = cpuNanoseconds
        for number in 0..<requests {
            var line = lines[number & (lines.count - 1)]
            line.keyID = keys[number & (keys.count - 1)]
            guard let limit else {
                sum &+= line.keyID?.low ?? 0 &+ UInt64(truncatingIfNeeded: line.microseconds)
                continue
            }
            ledger.count(line)
            sinceHandOver += 1
            if sinceHandOver == limit {
                sinceHandOver = 0
                counted += ledger.take().minutes.reduce(0) { $0 + Int($1.sum.requests) }
            }
        }
        let elapsed = cpuNanoseconds - start
        counted += ledger.take().minutes.reduce(0) { $0 + Int($1.sum.requests) }
        precondition(limit == nil ? sum != 0 : counted == requests)
        return Double(elapsed) / Double(requests)
    }

    /// The CPU time of this thread, which other programs do not change as much as elapsed time.
    private static var cpuNanoseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
