import AuthKeys
import Foundation
import HTTPCredentials
import KeyAdministration
import LibPQ
import RequestLog
import TestSupport
import Testing

@testable import AuthKeysPostgres
@testable import KeyAdministrationPostgres

@Suite("Searches of the request log")
struct RequestSearchTests {
    @Test("a search finds the lines that a filter of all lines finds, for each filter and for combinations")
    func model() async throws {
        try await StoreFixture.with { store in
            let log = try await RequestLogFixture.make(store)
            var random = SeededRandom(state: 1)
            let lines = log.lines(3_000, &random)
            try await log.insert(lines)
            let model = InMemoryRequestLog(lines)
            func check(_ query: RequestQuery, _ names: [String]) async throws {
                let found = try await log.pages(query)
                let expected = try await model.matching(query, in: .all)
                #expect(found == expected, "\(names): \(found.count) of \(expected.count)")
            }
            try await check(RequestQuery(limit: 1_000), [])
            for filter in RequestLogFixture.filters {
                for limit in [1_000, 70] {
                    var query = RequestQuery(limit: limit)
                    filter.set(&query, lines[Int.random(in: 0..<lines.count, using: &random)])
                    try await check(query, [filter.name])
                }
            }
            for _ in 0..<80 {
                let line = lines[Int.random(in: 0..<lines.count, using: &random)]
                var query = RequestQuery(limit: Int.random(in: 1...200, using: &random))
                let filters = RequestLogFixture.filters.shuffled(using: &random).prefix(
                    .random(in: 2...4, using: &random))
                for filter in filters { filter.set(&query, line) }
                if let since = query.since, query.until == since { query.until = nil }
                try await check(query, filters.map(\.name))
            }
        }
    }

    @Test("lines in the future, in the past and in an empty log are found or not, and the search ends")
    func edges() async throws {
        try await StoreFixture.with { store in
            // Without a partition.
            #expect(
                try await store.store.search(RequestQuery(), in: .all, budget: .seconds(20)) == SearchPage(lines: []))
            let log = try await RequestLogFixture.make(store)
            var query = RequestQuery(limit: 2)
            query.method = "GET"
            #expect(try await log.pages(query).isEmpty)
            var random = SeededRandom(state: 2)
            let moments = [
                log.today.advanced(by: .seconds(2 * 86_400 - 1)), log.today.advanced(by: .seconds(-3 * 86_400)),
            ]
            let lines = moments.map { at in
                var line = log.line(at: at, &random)
                line.method = "GET"
                return line
            }
            try await log.insert(lines)
            #expect(try await log.pages(query) == lines)
            #expect(try await log.pages(RequestQuery(limit: 1)) == lines)
            query.until = log.today.advanced(by: .seconds(-3 * 86_400))
            #expect(try await log.pages(query).isEmpty)
            query.until = nil
            query.since = log.today.advanced(by: .seconds(4 * 86_400))
            #expect(try await log.pages(query).isEmpty)
            // A number of a later version.
            try await store.sql("UPDATE request_log SET outcome = 77, surface = 300")
            let later = try await log.pages(RequestQuery(limit: 10))
            #expect(later.count == 2 && later.allSatisfy { $0.outcome == nil && $0.surface == nil })
        }
    }

    @Test("pages have each line exactly once while lines are inserted", arguments: [false, true])
    func insertions(isFiltered: Bool) async throws {
        try await StoreFixture.with { store in
            let log = try await RequestLogFixture.make(store)
            var random = SeededRandom(state: 3)
            let lines = log.lines(1_500, &random)
            try await log.insert(lines)
            var query = RequestQuery(limit: 37)
            if isFiltered { query.method = "GET" }
            let expected = try await InMemoryRequestLog(lines).matching(query, in: .all)
            let later = log.lines(1_000, &random)
            let found = try await log.pages(query) { number in
                let start = (number - 1) * 20
                if start < later.count { try await log.insert(Array(later[start..<start + 20])) }
            }
            let known = Set(lines.map(\.id))
            #expect(found.filter { known.contains($0.id) } == expected)
            #expect(Set(found.map(\.id)).count == found.count)
        }
    }

    @Test("an admin for an owner sees the lines of that owner and of those below it, by any filter")
    func owners() async throws {
        try await StoreFixture.with { store in
            let log = try await RequestLogFixture.make(store)
            var random = SeededRandom(state: 4)
            let lines = log.lines(1_000, &random)
            try await log.insert(lines)
            let model = InMemoryRequestLog(lines)
            let scope = OwnerScope(owner: "acme/a")
            let visible = Set(log.keys.filter { scope.contains($0.owner) }.map(\.id))
            func check(_ query: RequestQuery, _ name: String) async throws {
                let found = try await log.pages(query, in: scope)
                #expect(found.map(\.id) == (try await model.matching(query, in: scope).map(\.id)), "\(name)")
                for line in found {
                    #expect(["acme/a", "acme/a/b"].contains(line.owner), "\(name)")
                    // The key may belong to another owner by now.
                    #expect(line.keyName == nil || line.keyID.map(visible.contains) == true, "\(name)")
                }
            }
            try await check(RequestQuery(limit: 1_000), "none")
            for filter in RequestLogFixture.filters {
                // The owner of each of these lines is another one.
                for owner in RequestLogFixture.owners {
                    let line = try #require(lines.first { $0.owner == owner && $0.keyID != nil && $0.address != nil })
                    var query = RequestQuery(limit: 500)
                    filter.set(&query, line)
                    try await check(query, "\(filter.name) \(owner ?? "none")")
                    if ["since", "until"].contains(filter.name) { continue }
                    let positions = try await store.store.positions(
                        query, in: scope, since: .minimum, limit: 5_000, budget: .seconds(20))
                    #expect(positions.map(\.id) == (try await model.matching(query, in: scope).map(\.id)))
                }
            }
            let all = lines.map { RequestCursor(after: $0) }
            let read = try await store.store.lines(at: all, in: scope, budget: .seconds(20))
            #expect(read.map(\.id) == (try await model.lines(at: all, in: scope, budget: .zero).map(\.id)))
            let unlimited = try await store.store.lines(at: all, in: .all, budget: .seconds(20))
            #expect(unlimited == (try await model.lines(at: all, in: .all, budget: .zero)))
        }
    }

    @Test("a search whose budget ends returns the lines so far and a cursor with which it goes on to the end")
    func budget() async throws {
        try await StoreFixture.with { store in
            let log = try await RequestLogFixture.make(store)
            var random = SeededRandom(state: 5)
            let lines = log.lines(1_000, &random)
            try await log.insert(lines)
            var query = RequestQuery(limit: 1_000)
            query.method = "GET"
            let expected = try await InMemoryRequestLog(lines).matching(query, in: .all)

            // A locked partition takes all of the budget.
            let lock = try await PostgresConnection.connect(to: store.target, logger: StoreFixture.logger)
            try await lock.execute(script: "BEGIN; LOCK request_log_d0 IN ACCESS EXCLUSIVE MODE")
            let page = try await store.store.search(query, in: .all, budget: .seconds(1))
            let searchedTo = try #require(page.searchedTo)
            #expect(page.next == RequestCursor(before: searchedTo))
            #expect(!page.lines.isEmpty && page.lines == expected.filter { $0.at >= searchedTo })
            // Of a search by one statement, nothing is known.
            query.after = page.next
            await #expect(throws: StoreError.self) {
                try await store.store.search(RequestQuery(limit: 1_000), in: .all, budget: .milliseconds(300))
            }
            try await lock.execute(script: "ROLLBACK")
            #expect(try await page.lines + log.pages(query) == expected)

            try await lock.execute(script: "BEGIN; LOCK request_log IN ACCESS EXCLUSIVE MODE")
            query.after = nil
            for filter in [RequestQuery(), query] {
                let error = await #expect(throws: StoreError.self) {
                    try await store.store.search(filter, in: .all, budget: .milliseconds(300))
                }
                #expect(error?.kind == .unavailable)
            }
            await lock.close()
            // Its connections are usable afterwards.
            #expect(try await log.pages(query) == expected)
        }
    }

    @Test("searches work through a role with the privileges of the instance")
    func runtimeRole() async throws {
        try await StoreFixture.alone { store, server in
            let log = try await RequestLogFixture.make(store)
            var random = SeededRandom(state: 6)
            let lines = log.lines(50, &random)
            try await log.insert(lines)
            let theirs = try await server.admit(role: "runtime")
            for statement in try RuntimeGrants.statements(for: "runtime") { try await store.sql(statement) }
            try await store.withStore(at: theirs, settings: ConnectionSettings()) { limited in
                var query = RequestQuery(limit: 100)
                query.instance = "gw-1"
                let found = try await limited.search(query, in: .all, budget: .seconds(20)).lines
                #expect(found == (try await InMemoryRequestLog(lines).matching(query, in: .all)))
            }
        }
    }
}

@Suite("Query plans of searches of the request log")
struct RequestSearchPlanTests {
    @Test("a statement reads the index of its filter, in the partitions of its time")
    func plans() async throws {
        try await StoreFixture.alone { store in
            let log = try await RequestLogFixture.make(store)
            let key = log.keys[0].id
            try await store.sql(
                """
                INSERT INTO request_log (at, bytes_in, bytes_out, micros, id, key_id, instance, status, surface, outcome, flags,
                    method, path, address, owner)
                SELECT '\(log.today)'::timestamptz + interval '86400 s' * (n / 20000.0 - 3), 0, 0, n, gen_random_uuid(),
                    CASE WHEN n % 500 = 0 THEN '\(key)' ELSE gen_random_uuid() END, 1, CASE WHEN n % 25 = 0 THEN 404 ELSE 200 END, 1,
                    1, 0, 'GET', '/v1/' || n % 1000, '192.0.2.1'::inet + n % 200, 'owner ' || n % 1000
                FROM generate_series(0, 79999) n
                """)
            try await store.sql("VACUUM ANALYZE")
            let indexes = try await Self.parents(of: store)

            func check(
                _ name: String, _ query: RequestQuery, _ range: RequestSQL.Range, index: String,
                partitions: Set<String>?,
                by statement: PostgresStatement? = nil
            ) async throws {
                var statement = statement ?? RequestSQL.page(query, range, in: .all, limit: 101)
                statement.sql = "EXPLAIN (COSTS off) " + statement.sql
                let rows = try await store.admin.pipeline([ListSQL.planning, statement]).last?.rows
                let plan = try #require(rows).map { try $0.text(0) }.joined(separator: "\n")
                let used = plan.matches(of: /Scan.* (?:using|on) (request_log_d\w*_idx\w*)/).map { String($0.1) }
                #expect(Set(used.compactMap { indexes[$0]?.parent }) == [index], "\(name)\n\(plan)")
                #expect(!plan.contains("Seq Scan on request_log_d"), "\(name)\n\(plan)")
                if let partitions {
                    #expect(Set(used.compactMap { indexes[$0]?.table }) == partitions, "\(name)\n\(plan)")
                }
            }
            let (start, end) = (log.today.advanced(by: .seconds(-7_200)), log.today.advanced(by: .seconds(-3_600)))
            let window = RequestSQL.Range(start: start, end: end)
            let days: Set = ["request_log_d0", "request_log_d1", "request_log_d2", "request_log_d3", "request_log_d4"]
            let cursor = RequestCursor(at: end.advanced(by: .seconds(-86_400)), id: RequestID(high: 1, low: 1))

            let all = RequestQuery()
            try await check("all", all, RequestSQL.Range(), index: "request_log_at", partitions: days)
            try await check("a window", all, window, index: "request_log_at", partitions: ["request_log_d2"])
            try await check(
                "a later page", all, RequestSQL.Range(before: cursor), index: "request_log_at",
                partitions: ["request_log_d0", "request_log_d1"])
            var keyed = RequestQuery()
            keyed.keyID = key
            try await check("a key", keyed, RequestSQL.Range(), index: "request_log_key", partitions: days)
            try await check(
                "a later page of a key", keyed, RequestSQL.Range(before: cursor), index: "request_log_key",
                partitions: ["request_log_d0", "request_log_d1"])
            for status in ["4xx", "404", "5xx"] {
                var failed = RequestQuery()
                failed.status = StatusRange(status)
                try await check(status, failed, window, index: "request_log_failed", partitions: ["request_log_d2"])
            }
            var found = RequestQuery()
            found.requestID = RequestID(at: start, random: (1, 1))
            let second = RequestSQL.Range(
                start: start.advanced(by: .seconds(-1)), end: start.advanced(by: .seconds(1)))
            try await check("a request", found, second, index: "request_log_at", partitions: ["request_log_d2"])
            for filter in RequestLogFixture.filters
            where !["key_id", "request_id", "status", "status class", "since", "until"].contains(filter.name) {
                var random = SeededRandom(state: 7)
                var line = log.line(at: start, &random)
                (line.address, line.code, line.owner) = ("192.0.2.9", "key_expired", "owner 7")
                var query = RequestQuery()
                filter.set(&query, line)
                try await check(filter.name, query, window, index: "request_log_at", partitions: ["request_log_d2"])
            }
            try await check(
                "positions", all, window, index: "request_log_at", partitions: ["request_log_d2"],
                by: RequestSQL.positions(all, window, limit: 20_000))
            let positions = [cursor, RequestCursor(at: cursor.at.advanced(by: .seconds(9)), id: cursor.id)]
            try await check(
                "lines", all, window, index: "request_log_at", partitions: ["request_log_d1"],
                by: RequestSQL.lines(at: positions, in: .all))
            try await check(
                "oldest", all, window, index: "request_log_at", partitions: days, by: RequestSQL.oldest)

            // Executed, the first and the last page of a key read no other lines.
            var statement = RequestSQL.page(keyed, RequestSQL.Range(), in: .all, limit: 20)
            statement.sql = "EXPLAIN (ANALYZE, TIMING off, SUMMARY off, COSTS off) " + statement.sql
            let rows = try await store.admin.pipeline([ListSQL.planning, statement]).last?.rows
            let plan = try #require(rows).map { try $0.text(0) }.joined(separator: "\n")
            let read = plan.components(separatedBy: "Append")[1].components(separatedBy: "Hash")[0]
            #expect(!read.contains("Rows Removed"), "\(plan)")
            #expect(read.matches(of: /never executed/).count == 3, "\(plan)")
        }
    }

    /// Returns the index and the table that the index of a partition belongs to.
    private static func parents(
        of store: StoreFixture
    ) async throws -> [String: (parent: String, table: String)] {
        let rows = try await store.admin.query(
            """
            SELECT c.relname::text, p.relname::text, t.relname::text FROM pg_inherits h
            JOIN pg_class c ON c.oid = h.inhrelid JOIN pg_class p ON p.oid = h.inhparent
            JOIN pg_index x ON x.indexrelid = c.oid JOIN pg_class t ON t.oid = x.indrelid
            """
        ).rows
        return Dictionary(
            uniqueKeysWithValues: try rows.map { (try $0.text(0), (try $0.text(1), try $0.text(2))) })
    }
}
