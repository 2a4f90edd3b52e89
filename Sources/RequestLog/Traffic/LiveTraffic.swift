public import AuthKeys
import Synchronization

/// The requests of the last seconds, as figures that an instance reports with its heartbeat.
public final class LiveTraffic: Sendable {
    /// The time for which requests count, from their handing over on.
    public static let window = Duration.seconds(10)
    /// The maximum number of keys that are listed.
    static let busiestLimit = 20

    private let time: TimeSource
    private let recent = Mutex<[(at: Duration, counts: TrafficCounts)]>([])

    init(time: TimeSource) { self.time = time }

    /// Adds counts. They share the memory of the caller's copy.
    func add(_ counts: TrafficCounts) {
        let now = time.uptime()
        recent.withLock { recent in
            recent.removeAll { now - $0.at > Self.window }
            recent.append((now, counts))
        }
    }

    /// Returns the requests of the window by outcome, the percentiles of their durations in milliseconds, and the keys
    /// with most requests.
    public func figures() -> [String: JSONValue] {
        let now = time.uptime()
        let counts = recent.withLock { recent in recent.filter { now - $0.at <= Self.window }.map(\.counts) }
        var all = TrafficTotals()
        for minute in counts.map(\.minutes).joined() { all.add(minute.sum, outcome: minute.group.outcome) }
        var keys: [KeyID: Int64] = [:]
        for hour in counts.map(\.hours).joined() { keys[hour.group.keyID, default: 0] += hour.totals.sum.requests }
        var requests: [String: JSONValue] = [:]
        for outcome in RequestOutcome.allCases { requests[outcome.name] = .integer(all.outcomes[outcome]) }
        var figures: [String: JSONValue] = [
            "window_seconds": .integer(Self.window.components.seconds), "requests": .object(requests),
            "busiest_keys": .array(
                Self.busiest(keys).map { id, requests in
                    .object(["auth_key_id": .string(id.description), "requests": .integer(requests)])
                }),
        ]
        for (name, part) in [("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)] {
            if let value = all.sum.durations.percentile(part) { figures[name] = .number((value / 10).rounded() / 100) }
        }
        return figures
    }

    private static func busiest(_ keys: [KeyID: Int64]) -> [(KeyID, Int64)] {
        keys.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(busiestLimit).map { ($0.key, $0.value) }
    }
}
