public import AuthKeys
public import KeyAdministration
public import RequestLog
import Synchronization

extension InMemoryStore {
    /// Adds requests, as a recorder writes them.
    public func add(_ counts: TrafficCounts) {
        state.withLock { state in
            state.traffic.minutes += counts.minutes
            state.traffic.hours += counts.hours
        }
    }

    public func traffic(_ query: TrafficQuery) async throws(StoreError) -> TrafficReport? {
        try read { state in
            var points: [Int64: TrafficTotals] = [:]
            func add(at time: Timestamp, _ body: (inout TrafficTotals) -> Void) -> Bool {
                guard time >= query.since, time < query.until else { return false }
                let length = query.step.microseconds
                body(&points[time.microseconds / length * length, default: TrafficTotals()])
                return true
            }
            var parts: [MinuteCount.Group: TrafficSum] = [:]
            if query.isAboutAllRequests {
                for count in state.traffic.minutes
                where add(at: count.startsAt, { $0.add(count.sum, outcome: count.group.outcome) }) {
                    var group = count.group
                    group.minute = 0
                    parts[group, default: TrafficSum()].add(count.sum)
                }
            } else {
                for count in state.traffic.hours where Self.matches(count.group.keyID, query, state) {
                    _ = add(at: count.startsAt) { $0.add(count.totals) }
                }
            }
            let sorted = parts.sorted { $0.value.requests > $1.value.requests }.map { group, sum in
                TrafficReport.Part(
                    surface: group.surface, outcome: group.outcome, code: group.code.isEmpty ? nil : group.code,
                    sum: sum)
            }
            return TrafficReport(
                points: points.sorted { $0.key < $1.key }.map {
                    TrafficReport.Point(at: Timestamp(microseconds: $0.key), totals: $0.value)
                },
                parts: query.isAboutAllRequests ? sorted : nil)
        }
    }

    private static func matches(_ keyID: KeyID, _ query: TrafficQuery, _ state: State) -> Bool {
        guard query.keyID.map({ $0 == keyID }) ?? true else { return false }
        guard query.owner != nil || query.labelName != nil else { return true }
        guard let attributes = state.rows[keyID]?.attributes else { return false }
        guard query.owner.map({ $0.matches(attributes.owner) }) ?? true else { return false }
        guard let name = query.labelName else { return true }
        guard let value = attributes.labels[name] else { return false }
        return query.labelValue.map { $0 == value } ?? true
    }
}
