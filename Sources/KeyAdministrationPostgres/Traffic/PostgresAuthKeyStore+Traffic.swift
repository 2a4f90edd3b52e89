public import AuthKeys
import AuthKeysPostgres
public import KeyAdministration
import LibPQ
import RequestLog

extension PostgresAuthKeyStore {
    public func traffic(_ query: TrafficQuery) async throws(StoreError) -> TrafficReport? {
        try await traffic(query, timeout: TrafficQuery.timeout)
    }

    func traffic(_ query: TrafficQuery, timeout: Duration) async throws(StoreError) -> TrafficReport? {
        try await attempt {
            do {
                let planning = TrafficSQL.planning(timeout: timeout)
                guard query.isAboutAllRequests else {
                    let results = try await self.pool.pipeline([planning, TrafficSQL.pointsOfKeys(query)])
                    return TrafficReport(
                        points: try results[1].rows.map { try $0.read(TrafficReport.Point.init(row:)) })
                }
                let results = try await self.pool.pipeline([
                    planning, TrafficSQL.points(query), TrafficSQL.parts(query),
                ])
                return TrafficReport(
                    points: try Self.points(results[1]),
                    parts: try results[2].rows.compactMap { try $0.read(TrafficReport.Part.init(row:)) })
            } catch let error as PostgresError where error.sqlState == .queryCanceled {
                return nil
            }
        }
    }

    /// Adds up the rows of the same time, which differ in their outcomes.
    private static func points(_ result: PostgresResult) throws(PostgresError) -> [TrafficReport.Point] {
        var points: [TrafficReport.Point] = []
        for row in result.rows {
            let part = try row.read { row throws(PostgresError) in
                (at: try row.nextMoment(), outcome: try row.nextInt64(), sum: try TrafficSum(row: &row))
            }
            guard let outcome = UInt8(exactly: part.outcome).flatMap(RequestOutcome.init) else { continue }
            if points.last?.at != part.at { points.append(TrafficReport.Point(at: part.at)) }
            points[points.count - 1].totals.add(part.sum, outcome: outcome)
        }
        return points
    }
}

extension TrafficReport.Point {
    fileprivate init(row: inout RowCursor) throws(PostgresError) {
        self.init(at: try row.nextMoment())
        for outcome in RequestOutcome.allCases { totals.outcomes[outcome] = try row.nextInt64() }
        totals.sum = try TrafficSum(row: &row, requests: totals.outcomes.total)
    }
}

extension TrafficReport.Part {
    /// Returns nil for an entry point or an outcome of a later version.
    fileprivate init?(row: inout RowCursor) throws(PostgresError) {
        let (surface, outcome) = (try row.nextInt64(), try row.nextInt64())
        let code = try row.nextText()
        let sum = try TrafficSum(row: &row)
        guard let surface = UInt8(exactly: surface).flatMap(RequestSurface.init),
            let outcome = UInt8(exactly: outcome).flatMap(RequestOutcome.init)
        else { return nil }
        self.init(surface: surface, outcome: outcome, code: code.isEmpty ? nil : code, sum: sum)
    }
}

extension TrafficSum {
    /// - Parameter requests: the number of requests; nil if it comes first in the row.
    fileprivate init(row: inout RowCursor, requests: Int64? = nil) throws(PostgresError) {
        self.init()
        if let requests { self.requests = requests } else { self.requests = try row.nextInt64() }
        (bytesIn, bytesOut, microseconds) = (try row.nextInt64(), try row.nextInt64(), try row.nextInt64())
        var counts: [Int64] = []
        for _ in 0..<DurationBuckets.count { counts.append(try row.nextOptionalInt64() ?? 0) }
        durations = DurationCounts(counts)
    }
}

extension SQLState {
    /// The statement exceeded its timeout.
    fileprivate static let queryCanceled: SQLState = "57014"
}
