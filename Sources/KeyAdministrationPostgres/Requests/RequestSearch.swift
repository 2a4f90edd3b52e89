import AuthKeys
import HTTPCredentials
import KeyAdministration
import LibPQ

/// One search of the request log, within a budget of time.
struct RequestSearch {
    /// The tolerance between the time in a request's identifier and the time of its line.
    private static let identifierTolerance = Duration.seconds(1)

    let query: RequestQuery
    let scope: OwnerScope
    let budget: Duration
    let pool: PostgresPool

    func run() async throws -> SearchPage {
        let deadline = ContinuousClock.now + budget
        let end = [query.until, query.after?.at.advanced(by: .microseconds(1))].compactMap(\.self).min()
        if let id = query.requestID { return try await find(id, until: deadline) }
        guard let walk = SearchWalk(query, end: end, now: .now) else {
            return try await page(RequestSQL.Range(start: query.since, end: end, before: query.after), until: deadline)
        }
        return try await search(along: walk, until: deadline)
    }

    /// Finds a request. Its identifier has its time, so two seconds of the log are read.
    private func find(_ id: RequestID, until deadline: ContinuousClock.Instant) async throws -> SearchPage {
        guard id.time.isRepresentable else { return SearchPage(lines: []) }
        let start = max(id.time.advanced(by: .zero - Self.identifierTolerance), query.since ?? .minimum)
        let end = min(id.time.advanced(by: Self.identifierTolerance), query.until ?? .maximum)
        return try await page(RequestSQL.Range(start: start, end: end, before: query.after), until: deadline)
    }

    /// Reads a page by one statement.
    private func page(
        _ range: RequestSQL.Range, until deadline: ContinuousClock.Instant
    ) async throws -> SearchPage {
        let found = try await lines(range, limit: query.limit + 1, until: deadline)
        guard found.count > query.limit else { return SearchPage(lines: found) }
        return full(found)
    }

    private func full(_ found: [LoggedRequest]) -> SearchPage {
        let lines = Array(found.prefix(query.limit))
        return SearchPage(lines: lines, next: lines.last.map { RequestCursor(after: $0) })
    }

    private func search(along way: SearchWalk, until deadline: ContinuousClock.Instant) async throws -> SearchPage {
        var walk = way
        var found: [LoggedRequest] = []
        var searchedTo: Timestamp?
        var oldest: Timestamp?
        do {
            while true {
                // Two windows are read more often than all.
                if searchedTo != nil, oldest == nil { oldest = try await oldestLine(until: deadline) }
                let floor = max(query.since ?? .minimum, oldest ?? .minimum)
                guard walk.end ?? .maximum > floor else { return SearchPage(lines: found) }
                let start = max(walk.start, floor)
                let range = RequestSQL.Range(start: start, end: walk.end, before: query.after)
                // The first window has half of the budget, so that a shorter one can follow.
                let isFirst = searchedTo == nil && !walk.isShortest
                do {
                    found += try await lines(
                        range, limit: query.limit - found.count, until: isFirst ? deadline - budget / 2 : deadline)
                } catch let error as PostgresError where error.kind == .timeout && isFirst {
                    walk.shrink()
                    continue
                }
                // The last line of a full page is known; the lines behind it are not searched for.
                if found.count >= query.limit { return full(found) }
                searchedTo = start
                walk.advance()
            }
        } catch let error as PostgresError where [.timeout, .poolExhausted].contains(error.kind) {
            guard let searchedTo else { throw error }
            return SearchPage(lines: found, next: RequestCursor(before: searchedTo), searchedTo: searchedTo)
        }
    }

    private func lines(
        _ range: RequestSQL.Range, limit: Int, until deadline: ContinuousClock.Instant
    ) async throws -> [LoggedRequest] {
        let statement = RequestSQL.page(query, range, in: scope, limit: limit)
        return try await rows(statement, until: deadline).map { try $0.read(LoggedRequest.init(row:)) }
    }

    /// Returns the time of the oldest line; the latest time if there is none.
    private func oldestLine(until deadline: ContinuousClock.Instant) async throws -> Timestamp {
        try await rows(RequestSQL.oldest, until: deadline).first.map {
            Timestamp(microseconds: try $0.timestamp(0))
        } ?? .maximum
    }

    private func rows(
        _ statement: PostgresStatement, until deadline: ContinuousClock.Instant
    ) async throws -> [PostgresRow] {
        let results = try await pool.pipeline([ListSQL.planning, statement], timeout: deadline - .now)
        return results.last.map { Array($0.rows) } ?? []
    }
}
