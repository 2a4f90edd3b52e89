import AuthKeys

/// Counts that wait to be written. Counts of the same group are added up, so that an outage of the database costs
/// memory by groups and not by requests.
struct TrafficBacklog {
    private(set) var minutes: [MinuteCount.Group: TrafficSum] = [:]
    private(set) var hours: [HourCount.Group: TrafficTotals] = [:]

    mutating func add(_ counts: TrafficCounts) {
        for count in counts.minutes { minutes[count.group, default: TrafficSum()].add(count.sum) }
        for count in counts.hours { hours[count.group, default: TrafficTotals()].add(count.totals) }
    }

    /// Returns the groups of minutes in the order of minute, entry point, outcome and code.
    var minutesInOrder: [MinuteCount.Group] {
        minutes.keys.sorted {
            ($0.minute, $0.surface.rawValue, $0.outcome.rawValue, $0.code)
                < ($1.minute, $1.surface.rawValue, $1.outcome.rawValue, $1.code)
        }
    }

    /// Returns the groups of hours in the order of key and hour, so that instances that write the same rows wait for
    /// each other instead of deadlocking.
    var hoursInOrder: [HourCount.Group] {
        hours.keys.sorted { ($0.keyID, $0.hour) < ($1.keyID, $1.hour) }
    }

    mutating func takeMinutes(_ groups: some Sequence<MinuteCount.Group>) -> [MinuteCount] {
        groups.compactMap { group in minutes.removeValue(forKey: group).map { MinuteCount(group, $0) } }
    }

    mutating func takeHours(_ groups: some Sequence<HourCount.Group>) -> [HourCount] {
        groups.compactMap { group in hours.removeValue(forKey: group).map { HourCount(group, $0) } }
    }

    /// Adds minutes to the first one of their hour if there are more groups than the limit, and hours to the first one
    /// of their day. The newest ones stay as they are. The sums stay exact.
    mutating func condense(limit: Int) {
        if minutes.count > limit, let last = minutes.keys.map({ $0.minute / 60 }).max() {
            var condensed: [MinuteCount.Group: TrafficSum] = [:]
            for (group, sum) in minutes {
                var group = group
                if group.minute / 60 < last { group.minute = group.minute / 60 * 60 }
                condensed[group, default: TrafficSum()].add(sum)
            }
            minutes = condensed
        }
        if hours.count > limit, let last = hours.keys.map({ $0.hour / 24 }).max() {
            var condensed: [HourCount.Group: TrafficTotals] = [:]
            for (group, totals) in hours {
                var group = group
                if group.hour / 24 < last { group.hour = group.hour / 24 * 24 }
                condensed[group, default: TrafficTotals()].add(totals)
            }
            hours = condensed
        }
    }

    /// The number of requests.
    var requests: Int64 { minutes.values.reduce(0) { $0 + $1.requests } }
}
