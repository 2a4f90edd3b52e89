import AuthKeys
import ControlBodies
import KeyAdministration
import RequestLog

extension TrafficJSON {
    init(_ totals: TrafficTotals) {
        self.init()
        requests = totals.sum.requests
        allowed = totals.outcomes[.allowed]
        denied = totals.outcomes[.denied]
        limited = totals.outcomes[.limited]
        failed = totals.outcomes[.failed]
        terminated = totals.outcomes[.terminated]
        (bytesIn, bytesOut) = (totals.sum.bytesIn, totals.sum.bytesOut)
        durations = Durations(totals.sum)
    }

    /// Returns the points with requests, oldest first.
    static func points(_ report: TrafficReport) -> [Point] {
        report.points.map { Point(at: $0.at.description, traffic: TrafficJSON($0.totals)) }
    }
}

extension TrafficJSON.Durations {
    init(_ sum: TrafficSum) {
        self.init()
        guard sum.requests > 0 else { return }
        mean = Self.milliseconds(Double(sum.microseconds) / Double(sum.requests))
        p50 = sum.durations.percentile(0.5).map(Self.milliseconds)
        p95 = sum.durations.percentile(0.95).map(Self.milliseconds)
        p99 = sum.durations.percentile(0.99).map(Self.milliseconds)
    }

    /// Returns milliseconds with at most three digits after the point.
    private static func milliseconds(_ microseconds: Double) -> Double { microseconds.rounded() / 1_000 }
}

extension StatisticsJSON {
    init(_ report: TrafficReport, of query: TrafficQuery) {
        let points = Dictionary(uniqueKeysWithValues: report.points.map { ($0.at.microseconds, $0.totals) })
        self.init(
            step: query.step.rawValue, since: query.since.description, until: query.until.description,
            total: TrafficJSON(report.total),
            series: query.points.map { start in
                TrafficJSON.Point(
                    at: Timestamp(microseconds: start).description,
                    traffic: TrafficJSON(points[start] ?? TrafficTotals()))
            },
            breakdown: report.parts.map { $0.map(Part.init) })
    }
}

extension StatisticsJSON.Part {
    init(_ part: TrafficReport.Part) {
        self.init(
            surface: part.surface.name, outcome: part.outcome.name, code: part.code, requests: part.sum.requests,
            bytesIn: part.sum.bytesIn, bytesOut: part.sum.bytesOut, durations: TrafficJSON.Durations(part.sum))
    }
}
