import AuthKeysPostgres
import LibPQ
import TestSupport
import Testing

@testable import RequestLogPostgres

@Suite("Tender of the request log", .timeLimit(.minutes(10)))
struct RequestLogTenderTests {
    private func tending(
        _ fixture: LogFixture, days: Int = 0, bytes: Int = 0,
        _ body: @escaping @Sendable (RequestLogTender) async throws -> Void
    ) async throws {
        try await fixture.withPool { pool in
            try await body(
                RequestLogTender(
                    pool: pool, retention: RequestLogRetention(days: days, bytes: bytes), logger: LogFixture.silent))
        }
    }

    @Test("partitions from yesterday to the day after tomorrow are made once, with all indexes")
    func makes() async throws {
        try await LogFixture.with { fixture in
            try await tending(fixture) { tender in
                for _ in 0..<2 {
                    #expect(await tender.tend())
                    let expected = try await fixture.days(-1...2)
                    #expect(try await fixture.partitions() == expected)
                }
                #expect(tender.bytes ?? 0 > 0)
            }
            let indexes = try await fixture.sql(
                """
                SELECT count(DISTINCT i.indrelid) || ' ' || count(*) FROM pg_inherits h JOIN pg_index i ON i.indrelid = h.inhrelid
                WHERE h.inhparent = 'request_log'::regclass AND i.indisvalid
                """)
            #expect(indexes == "4 16")
        }
    }

    @Test("a day is dropped when all of its lines are older than the limit")
    func age() async throws {
        try await LogFixture.with { fixture in
            for day in [-9, -8, -7, -6] { try await fixture.addPartition(day: day, lines: 1) }
            try await tending(fixture, days: 7) { tender in
                #expect(await tender.tend())
            }
            #expect(try await fixture.partitions() == fixture.days(-7 ... -6) + fixture.days(-1...2))
        }
    }

    @Test("the oldest days are dropped beyond the size limit, within one partition, and never the current day")
    func size() async throws {
        try await LogFixture.with { fixture in
            for day in -5...0 { try await fixture.addPartition(day: day, lines: 2_000) }
            let one = try #require(
                Int(
                    try await fixture.sql(
                        "SELECT pg_total_relation_size('request_log_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD'))"
                    )))
            try await tending(fixture, bytes: one * 7 / 2) { tender in
                #expect(await tender.tend())
                let bytes = Int(try #require(tender.bytes))
                #expect(bytes <= one * 7 / 2 && bytes > one * 5 / 2)
            }
            #expect(try await fixture.partitions() == fixture.days(-2...2))
            try await tending(fixture, bytes: 1) { #expect(await $0.tend()) }
            // The dropped day of yesterday is not made again.
            try await tending(fixture, bytes: 1) { #expect(await $0.tend()) }
            #expect(try await fixture.partitions() == fixture.days(0...2))
            #expect(try await fixture.count() == 2_000)
        }
    }

    @Test("no argument deletes lines of the current day, or more than the limits say")
    func arguments() async throws {
        try await LogFixture.with { fixture in
            try await fixture.addPartition(day: -40, lines: 1)
            try await fixture.addPartition(day: 0, lines: 1)
            let numbers = ["NULL", "-2147483648", "-1", "0", "2147483647"]
            for ahead in numbers {
                for days in numbers {
                    for bytes in numbers + ["-9223372036854775808", "9223372036854775807"] {
                        try await fixture.tend("\(ahead), \(days), \(bytes)")
                    }
                }
            }
            #expect(try await fixture.partitions() == fixture.days(-40 ... -40) + fixture.days(-1...14))
            for arguments in ["NULL, 1, 1", "0, 1, 1", "2147483647, 1, 1"] {
                for _ in 0..<3 { try await fixture.tend(arguments) }
            }
            #expect(try await fixture.partitions() == fixture.days(0...14))
            #expect(try await fixture.count() == 1)
        }
    }

    @Test("roles of instances tend, but change and delete no line, whatever the default privileges are")
    func rights() async throws {
        try await LogFixture.alone { fixture, server in
            let role = "keyward_run"
            let target = try PostgresTarget(try await server.admit(role: role))
            let verifying = try PostgresTarget(try await server.admit(role: "keyward_app"))
            _ = try await fixture.sql(
                "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC, keyward_run, keyward_app")
            for statement in try RuntimeGrants.statements(for: role)
                + RuntimeGrants.statements(for: "keyward_app", to: .verify)
            {
                _ = try await fixture.sql(statement)
            }
            try await fixture.withPool(target) { pool in
                let tender = RequestLogTender(
                    pool: pool, retention: RequestLogRetention(), logger: LogFixture.silent)
                #expect(await tender.tend())
                let expected = try await fixture.days(-1...2)
                #expect(try await fixture.partitions() == expected)
            }
            _ = try await fixture.sql(LogFixture.insertion("now()", lines: 1))
            let today = "request_log_\(try await fixture.days(0...0)[0])"
            let forbidden = ["request_log", today].flatMap { table in
                [
                    "UPDATE \(table) SET path = ''", "DELETE FROM \(table)", "TRUNCATE \(table)", "DROP TABLE \(table)",
                    "ALTER TABLE \(table) DISABLE TRIGGER ALL",
                    "DO $$ BEGIN LOCK TABLE \(table) IN ACCESS EXCLUSIVE MODE; END $$",
                    "CREATE INDEX ON \(table) (path)",
                ]
            }
            let more = [
                "SELECT FROM \(today)",
                LogFixture.insertion("now()", lines: 1).replacing("request_log ", with: "\(today) "),
                "ALTER TABLE request_log DETACH PARTITION \(today)", "DELETE FROM request_minutes",
                "DELETE FROM request_hours", "UPDATE request_log_names SET name = ''", "DELETE FROM request_log_names",
                "CREATE OR REPLACE FUNCTION request_log_tend(int, int, bigint, OUT tended request_log_tended) AS 'SELECT NULL' LANGUAGE sql",
            ]
            for (target, others) in [
                (target, []), (verifying, ["SELECT request_log_tend(2, 0, 0)", "SELECT path FROM request_log"]),
            ] {
                let connection = try await PostgresConnection.connect(to: target, logger: LogFixture.silent)
                for statement in forbidden + more + others {
                    do {
                        try await connection.execute(script: statement)
                        Issue.record("allowed: \(statement)")
                    } catch let error as PostgresError {
                        #expect(error.sqlState == "42501", "\(statement): \(error.debugDescription)")
                    }
                }
                await connection.close()
            }
            #expect(try await fixture.count("path <> ''") == 1)
        }
    }

    @Test("instances that tend at the same time make each partition once")
    func concurrent() async throws {
        try await LogFixture.with { fixture in
            try await fixture.addPartition(day: -30, lines: 1)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<6 { group.addTask { try await tending(fixture, days: 7) { #expect(await $0.tend()) } } }
                try await group.waitForAll()
            }
            let isDone = try await eventually {
                try await tending(fixture, days: 7) { _ = await $0.tend() }
                return try await fixture.partitions() == fixture.days(-1...2)
            }
            #expect(isDone)
        }
    }

    @Test("a partition that a session reads is dropped at a later run, and lines are written meanwhile")
    func locked() async throws {
        try await LogFixture.with { fixture in
            try await fixture.addPartition(day: -30, lines: 1)
            let old = try await fixture.days(-30 ... -30)
            let reader = try await PostgresConnection.connect(to: fixture.target, logger: LogFixture.silent)
            try await reader.execute(script: "BEGIN; SELECT FROM request_log_\(old[0])")
            try await tending(fixture, days: 7) { tender in
                #expect(await !tender.tend())
                #expect(try await fixture.partitions() == old + fixture.days(-1...2))
                _ = try await fixture.sql(LogFixture.insertion("now()", lines: 1))
                try await reader.execute(script: "COMMIT")
                #expect(await tender.tend())
                #expect(try await fixture.partitions() == fixture.days(-1...2))
            }
            await reader.close()
        }
    }

    @Test("a table with the name of a partition does not keep the others from being made, and is reported")
    func nameInUse() async throws {
        try await LogFixture.with { fixture in
            let tomorrow = try await fixture.days(1...1)[0]
            _ = try await fixture.sql("CREATE TABLE request_log_\(tomorrow) (x int)")
            try await tending(fixture) { #expect(await !$0.tend()) }
            #expect(try await fixture.partitions() == fixture.days(-1...2).filter { $0 != tomorrow })
            let problem = try await fixture.sql("SELECT problem FROM request_log_tend(2, 0, 0)")
            #expect(problem.hasPrefix("42P07: "))
        }
    }

    @Test("roll-ups are deleted after 30 and 400 days")
    func rollUps() async throws {
        try await LogFixture.with { fixture in
            _ = try await fixture.sql(
                """
                INSERT INTO request_minutes SELECT now() - n * interval '1 day', 1, 1, 1, '', 1, 0, 0, 0, '{}'
                FROM generate_series(0, 60) n
                """,
                """
                INSERT INTO request_hours SELECT gen_random_uuid(), now() - n * interval '10 days', 1, 0, 0, 0, 0, 0, 0, 0, '{}'
                FROM generate_series(0, 2) d, generate_series(0, 60) n
                """)
            try await tending(fixture) { #expect(await $0.tend()) }
            let left = try await fixture.sql(
                "SELECT (SELECT count(*) FROM request_minutes) || ' ' || (SELECT count(*) FROM request_hours)")
            #expect(left == "30 120")
        }
    }

    @Test("the function works in the schema of its tables, under any search path and after a new name of the schema")
    func schemas() async throws {
        let database = try await TestDatabase.create()
        try await Psql.run(
            "CREATE SCHEMA one", "ALTER DATABASE \(database.name) SET search_path = one, public",
            on: database.connectionString)
        try await LogFixture.with(database.connectionString) { fixture in
            let partitions =
                "SELECT count(*) FROM pg_class WHERE relname ~ '^request_log_20' AND relkind = 'r' AND relnamespace ="
            _ = try await fixture.sql("SELECT request_log_tend(0, 0, 0)")
            #expect(try await fixture.sql("\(partitions) 'one'::regnamespace") == "2")
            _ = try await fixture.sql("ALTER SCHEMA one RENAME TO two", "SELECT two.request_log_tend(1, 0, 0)")
            #expect(try await fixture.sql("\(partitions) 'two'::regnamespace") == "3")
            let dump = try await Psql.tool("pg_dump", ["-n", "two", "-d", fixture.connectionString])
            #expect(dump.contains("CREATE FUNCTION two.request_log_tend") && !dump.contains(/\bone\./))
        }
        try await database.drop()
    }
}
