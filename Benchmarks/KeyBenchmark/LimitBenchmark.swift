import AuthKeys
import Glibc

/// Measures the nanoseconds that a request needs to take from its limits, and the memory allocations of it.
enum LimitBenchmark {
    private static let rounds = 5
    private static let requests = 1_000_000

    static func run(_ counts: [Int]) {
        print("      keys   limits   ns a request   allocations of \(rounds * requests) requests   (CPU time)")
        for count in counts {
            for limits in [1, 3] { measure(keys: max(1, count), limits: limits) }
        }
    }

    private static func measure(keys count: Int, limits: Int) {
        let limiter = Limiter(options: LimitOptions(cells: 1_000_000))
        var bytes: [UInt8] = []
        // Nothing is refused: a refusal costs more, because the other limits get their units back.
        let rules = (0..<limits).compactMap {
            LimitRule("limit-\($0)", .rate(period: .seconds(1), burst: 1_000_000_000), limit: 1_000_000_000)
        }
        LimitBytes.append(rules, to: &bytes) { _ in false }
        let keys = (0..<count).map { _ in KeyID.generate() }
        let order = (0..<262_144).map { _ in keys[Int.random(in: 0..<count)] }
        take(order.count, order, bytes, limiter)
        let before = allocations
        var times: [Double] = []
        for _ in 0..<rounds {
            let start = cpuNanoseconds
            take(requests, order, bytes, limiter)
            times.append(Double(cpuNanoseconds - start) / Double(requests))
        }
        print(
            "\(count)".leftPadded(10), "\(limits)".leftPadded(8), rounded(KeyBenchmark.median(times), 1).leftPadded(14),
            (before.flatMap { before in allocations.map { "\($0 - before)" } } ?? "not counted").leftPadded(37))
    }

    @inline(never)
    private static func take(_ count: Int, _ order: [KeyID], _ bytes: [UInt8], _ limiter: Limiter) {
        var admitted = 0
        bytes.withUnsafeBytes { bytes in
            let owner = UnsafeRawBufferPointer(start: nil, count: 0)
            let request = AccessRequest.unknown
            for number in 0..<count {
                let key = order[number & (order.count - 1)]
                limiter.take(plan: nil, limits: bytes, hasCredits: false, key: key, owner: owner, for: request) {
                    refusal, _ in
                    if refusal == nil { admitted += 1 }
                }
            }
        }
        precondition(admitted == count)
    }

    /// The number of allocations of this process, which the preloaded `malloc_count.c` counts; nil without it.
    private static var allocations: Int? {
        guard let path = getenv("MALLOC_COUNT_FILE") else { return nil }
        let file = open(path, O_RDONLY)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var count: UInt64 = 0
        return pread(file, &count, 8, 0) == 8 ? Int(count) : nil
    }

    /// The CPU time of this thread, which other programs do not change as much as elapsed time.
    private static var cpuNanoseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
