public import AuthKeys

/// The producer of lines on one event loop, or behind a lock. Logging takes no lock and allocates nothing, but for a
/// page in some 300 lines.
public struct RequestLogger: Sendable {
    private let log: RequestLog
    private var page = RequestPage()
    private var sampler: LogSampler
    /// The requests of all lines, for the roll-ups.
    private var ledger = TrafficLedger()
    private let counts: Bool
    private let writes: Bool

    /// - Parameter producers: the number of loggers that share the budgets of the instance.
    public init(log: RequestLog, producers: Int) {
        self.log = log
        counts = log.traffic != nil
        writes = log.rows != nil || log.access != nil
        sampler = LogSampler(ratio: log.ratio, producers: producers)
    }

    /// Counts a request, and adds its line unless sampling omits it.
    @inline(__always)
    public mutating func log(_ line: RequestLine) {
        if counts { ledger.count(line) }
        guard writes else { return }
        if log.privacy.skips(method: line.method, path: line.path) { return }
        let kind: LogSampler.Class =
            switch line.outcome {
            case .allowed, .terminated: .admitted
            case .denied, .limited, .failed: line.keyID == nil && line.outcome == .denied ? .anonymous : .refused
            }
        let second = (line.at.microseconds &+ line.microseconds) / 1_000_000
        guard let weight = sampler.weight(of: kind, second: second, pressure: log.pressure) else { return }
        if weight > 1 { log.countOmitted(Int(weight) - 1) }
        var line = line
        line.weight = weight
        // Not even in memory.
        if log.privacy.queries == .none { line.query = UnsafeRawBufferPointer(start: nil, count: 0) }
        if page.append(line) { return }
        handOver()
        _ = page.append(line)
    }

    /// Hands over a page whose first line is older than a second, and counts whose first request is older than
    /// `TrafficRecorder.handOverInterval`.
    public mutating func tick(at now: Timestamp) {
        let lost = sampler.takeLost(in: now.microseconds / 1_000_000)
        if lost > 0 {
            log.countOmitted(lost)
            log.countLost(lost)
        }
        if Self.isOver(.seconds(1), since: page.began, at: now) { handOver() }
        if Self.isOver(TrafficRecorder.handOverInterval, since: ledger.began, at: now) { handOverCounts() }
    }

    private static func isOver(_ interval: Duration, since began: Timestamp?, at now: Timestamp) -> Bool {
        guard let began else { return false }
        // A clock that was set back must not hold anything.
        return now >= began.advanced(by: interval) || now < began
    }

    /// Hands over everything. The requests that sampling omitted last count as lost lines.
    public mutating func close() {
        handOver()
        handOverCounts()
        let omitted = sampler.takeOmitted()
        log.countOmitted(omitted)
        log.countLost(omitted)
    }

    private mutating func handOver() {
        guard !page.isEmpty else { return }
        log.hand(over: page.compacted())
        page = RequestPage()
    }

    private mutating func handOverCounts() {
        guard !ledger.isEmpty else { return }
        log.traffic?.add(ledger.take())
    }
}
