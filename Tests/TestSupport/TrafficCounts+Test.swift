public import AuthKeys
public import RequestLog

extension TrafficCounts {
    /// Counts one request for each of some keys, at the same time; nil is a request without a key.
    public init(
        requestsOf keys: [KeyID?], at time: Timestamp = .now, outcome: RequestOutcome = .allowed, code: String = "",
        surface: RequestSurface = .gateway, microseconds: Int64 = 1_500, bytesIn: Int64 = 10, bytesOut: Int64 = 100
    ) {
        var sum = TrafficSum()
        (sum.requests, sum.bytesIn, sum.bytesOut, sum.microseconds) = (1, bytesIn, bytesOut, microseconds)
        sum.durations.count(microseconds: microseconds)
        var totals = TrafficTotals()
        totals.add(sum, outcome: outcome)
        var minute = MinuteCount(
            MinuteCount.Group(
                minute: time.microseconds / 60_000_000, surface: surface, outcome: outcome, code: code))
        for _ in keys { minute.sum.add(sum) }
        self.init(
            minutes: [minute],
            hours: keys.compactMap { keyID in
                keyID.map {
                    HourCount(HourCount.Group(keyID: $0, hour: time.microseconds / 3_600_000_000), totals)
                }
            })
    }
}
