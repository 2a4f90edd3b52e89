/// Which reports are worth a line: of each key and rule the first, and then one a minute at most, which says how many there were
/// since the line before. Bounded in memory: while as many keys report as there is room for, the others have one line a minute
/// among them.
struct ReportPace {
    static let interval = Duration.seconds(60)

    private struct Place: Hashable {
        let key: KeyID
        let rule: PolicyRule
    }

    /// What there was since a line, which the next may follow from `next` on.
    private struct Count {
        var next: Duration
        var reports = 0

        /// How many reports a line is to speak of, this one included; nil for no line.
        mutating func take(now: Duration) -> Int? {
            reports += 1
            guard now >= next else { return nil }
            defer { self = Count(next: now + ReportPace.interval) }
            return reports
        }
    }

    enum Line: Equatable {
        case key(reports: Int)
        /// Of keys that there is no room for.
        case others(reports: Int)
    }

    private let limit: Int
    private var counts: [Place: Count] = [:]
    private var others = Count(next: .zero)
    private var nextSweep = Duration.zero

    /// - Parameter limit: keys and rules that are told apart.
    init(limit: Int = 1_000) {
        self.limit = limit
    }

    mutating func note(_ rule: PolicyRule, of key: KeyID, now: Duration) -> Line? {
        let place = Place(key: key, rule: rule)
        if counts[place] == nil && !makeRoom(now: now) { return others.take(now: now).map { .others(reports: $0) } }
        return counts[place, default: Count(next: now)].take(now: now).map { .key(reports: $0) }
    }

    /// Forgets what the next line of would be like a first one, but looks for that once a second at most.
    private mutating func makeRoom(now: Duration) -> Bool {
        if counts.count < limit { return true }
        guard now >= nextSweep else { return false }
        nextSweep = now + .seconds(1)
        counts = counts.filter { $0.value.next > now }
        return counts.count < limit
    }
}
