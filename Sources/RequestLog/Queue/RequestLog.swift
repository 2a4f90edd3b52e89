public import AuthKeys
import Metrics
import Synchronization

/// The requests of this instance, on their way from the entry points to the writers.
///
/// Each event loop has a `RequestLogger` of its own. Other callers use `note`. Writers take pages from the queues. If a
/// queue is full, pages are dropped and counted: the log never delays a request.
public final class RequestLog: Sendable {
    /// Pages for the database; nil if requests are not written there.
    public let rows: PageQueue?
    /// Pages for the access log; nil without one.
    public let access: PageQueue?
    /// Receives the counts of all requests, whatever sampling omits; nil if requests are not counted.
    public let traffic: TrafficRecorder?
    public let upstreams = UpstreamNames()
    public let privacy: LogPrivacy
    /// The part of admitted requests that get a line, 0 to 1.
    let ratio: Double
    private let shared = Mutex<RequestLogger?>(nil)
    /// The number of requests whose lines were lost since the last gap line.
    private let lost = Atomic<Int>(0)
    private let droppedForSpace = Counter(
        label: "keyward_request_log_dropped_total", dimensions: [("reason", "buffer")])
    private let droppedFromAccessLog = Counter(label: "keyward_access_log_dropped_total")
    private let sampledAway = Counter(label: "keyward_request_log_sampled_total")

    /// - Parameters:
    ///   - capacity: the maximum size of the pages that wait for a writer, in bytes.
    ///   - ratio: the part of admitted requests that get a line, 0 to 1.
    ///   - traffic: receives the counts of all requests.
    public init(
        writesRows: Bool = true, writesAccessLog: Bool = false, capacity: Int = 64 << 20, ratio: Double = 1,
        privacy: LogPrivacy = LogPrivacy(), traffic: TrafficRecorder? = nil
    ) {
        rows = writesRows ? PageQueue(capacity: capacity) : nil
        access = writesAccessLog ? PageQueue(capacity: capacity) : nil
        self.ratio = ratio
        self.traffic = traffic
        self.privacy = privacy
        shared.withLock { $0 = RequestLogger(log: self, producers: 1) }
    }

    /// Adds the line of a request, for callers without a logger.
    public func note(_ line: RequestLine) {
        shared.withLock { $0?.log(line) }
    }

    /// Hands over the lines of `note` that are older than a second. Must be called about once a second.
    public func tick(at now: Timestamp) {
        shared.withLock { $0?.tick(at: now) }
    }

    /// Hands over the lines of `note`, and accepts no more pages. All loggers must have been closed before.
    public func close() {
        shared.withLock { logger in
            logger?.close()
            logger = nil
        }
        rows?.close()
        access?.close()
    }

    /// Returns the number of requests whose lines were lost since the last call.
    public func takeLost() -> Int { lost.exchange(0, ordering: .relaxed) }

    /// Counts requests whose lines were lost.
    public func countLost(_ requests: Int) {
        lost.wrappingAdd(requests, ordering: .relaxed)
    }

    /// The size of the pages that wait for the database, in eighths of the limit. A reader of the access log that stops
    /// must not thin out the log in the database.
    var pressure: Int { rows?.eighths ?? access?.eighths ?? 0 }

    func hand(over page: RequestPage) {
        if let access, !access.append(page) { countDroppedAccess(page.count) }
        guard let rows, !rows.append(page) else { return }
        droppedForSpace.increment(by: page.count)
        var requests = 0
        page.forEachLine { requests += Int($0.weight) }
        countLost(requests)
    }

    /// Counts requests that are missing from the access log.
    public func countDroppedAccess(_ requests: Int) { droppedFromAccessLog.increment(by: requests) }

    func countOmitted(_ requests: Int) { sampledAway.increment(by: requests) }
}
