/// Decides which reports are logged. Each key and rule has a line at once, then at most one a minute, with the number
/// of reports since the previous line. Memory is bounded: once the limit of keys and rules is reached, the others share
/// one line a minute.
struct ReportPace {
    static let interval = Duration.seconds(60)

    private struct KeyAndRule: Hashable {
        let key: KeyID
        let rule: PolicyRule
    }

    /// The number of reports since a line; the next line may follow from `next` on.
    private struct Count {
        var next: Duration
        var reports = 0

        /// Counts a report. Returns the number of reports that a line covers, this one included; nil for no line.
        mutating func take(now: Duration) -> Int? {
            reports += 1
            guard now >= next else { return nil }
            defer { self = Count(next: now + ReportPace.interval) }
            return reports
        }
    }

    enum Line: Equatable {
        case key(reports: Int)
        /// Reports of keys beyond the limit.
        case others(reports: Int)
    }

    private let limit: Int
    private var counts: [KeyAndRule: Count] = [:]
    private var others = Count(next: .zero)
    private var nextSweep = Duration.zero

    /// - Parameter limit: the maximum number of pairs of key and rule that are tracked.
    init(limit: Int = 1_000) {
        self.limit = limit
    }

    mutating func note(_ rule: PolicyRule, of key: KeyID, now: Duration) -> Line? {
        let pair = KeyAndRule(key: key, rule: rule)
        if counts[pair] == nil && !makeRoom(now: now) { return others.take(now: now).map { .others(reports: $0) } }
        return counts[pair, default: Count(next: now)].take(now: now).map { .key(reports: $0) }
    }

    /// Removes entries whose next line would be like a first one. Searches at most once a second.
    private mutating func makeRoom(now: Duration) -> Bool {
        if counts.count < limit { return true }
        guard now >= nextSweep else { return false }
        nextSweep = now + .seconds(1)
        counts = counts.filter { $0.value.next > now }
        return counts.count < limit
    }
}
