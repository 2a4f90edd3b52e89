public import AuthKeys

/// The producer of lines on one event loop, or behind a lock. Logging takes no lock and allocates nothing, but for a
/// page in some 300 lines.
public struct RequestLogger: Sendable {
    private let log: RequestLog
    private var page = RequestPage()
    private var sampler: LogSampler

    /// - Parameter producers: the number of loggers that share the budgets of the instance.
    public init(log: RequestLog, producers: Int) {
        self.log = log
        sampler = LogSampler(ratio: log.ratio, producers: producers)
    }

    /// Adds the line of a request, unless sampling omits it.
    @inline(__always)
    public mutating func log(_ line: RequestLine) {
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

    /// Hands over a page whose first line is older than a second.
    public mutating func tick(at now: Timestamp) {
        guard let began = page.began else { return }
        // A clock that was set back must not hold a page.
        if now >= began.advanced(by: .seconds(1)) || now < began { handOver() }
    }

    /// Hands over everything. The requests that sampling omitted last count as lost lines.
    public mutating func close() {
        handOver()
        let omitted = sampler.takeOmitted()
        log.countOmitted(omitted)
        log.countLost(omitted)
    }

    private mutating func handOver() {
        guard !page.isEmpty else { return }
        log.hand(over: page)
        page = RequestPage()
    }
}
