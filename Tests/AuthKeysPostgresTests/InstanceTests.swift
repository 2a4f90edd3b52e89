import AuthKeysPostgres
import KeyAdministrationPostgres
import LibPQ
import Logging
import TestSupport
import Testing

@testable import AuthKeys
@testable import KeyAdministration

@Suite("Instances in PostgreSQL", .timeLimit(.minutes(10)))
struct InstanceTests {
    private static func identity(_ name: String, _ kind: InstanceIdentity.Kind = .serve) throws -> InstanceIdentity {
        InstanceIdentity(name: try #require(InstanceName(name)), kind: kind)
    }

    private static let start = InstanceProgress(applied: nil, indexAge: nil)

    /// Runs an instance on a database, and `body` at the same time.
    static func run(
        _ connectionString: String, as identity: InstanceIdentity, log: LogLines = LogLines(),
        _ body: @Sendable (PostgresVerification) async throws -> Void
    ) async throws {
        let verification = PostgresVerification(
            target: try PostgresTarget(connectionString), maxStaleness: .seconds(3_600), usageInterval: nil,
            logger: Logger(label: "test") { _ in log.handler })
        try await verification.withConnections {
            let watermark = try await verification.load()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await verification.follow(from: watermark, as: identity) }
                defer { group.cancelAll() }
                try await eventually("the first heartbeat") { verification.heartbeat.liveInstances != nil }
                try await body(verification)
            }
            await verification.end()
        }
    }

    @Test("instances see each other, by the database's clock, and one that ends is gone")
    func list() async throws {
        try await StoreFixture.with { fixture in
            let store = PostgresInstances(pool: fixture.pool)
            let (one, other) = (try Self.identity("gw-2"), try Self.identity("gw 1 büro", .middleware))
            #expect(try await store.instances().isEmpty)
            let first = Heartbeat(identity: one, uptime: .seconds(90), progress: Self.start)
            #expect(try await store.record(first) == 1)
            let second = Heartbeat(
                identity: other, uptime: .zero,
                progress: InstanceProgress(applied: 1 << 40, indexAge: .milliseconds(250)),
                figures: #"{"keys":3}"#)
            #expect(try await store.record(second) == 2)
            #expect(try await store.record(first) == 2)
            let records = try await store.instances()
            #expect(records.map(\.identity) == [other, one] && records.allSatisfy(\.isLive))
            let (app, gateway) = (try #require(records.first), try #require(records.last))
            #expect(app.progress == second.progress && app.figures == #"{"keys": 3}"# && app.lag == 0)
            #expect(gateway.progress == Self.start && gateway.lag == nil)
            let uptime = gateway.seenAt.microseconds - gateway.startedAt.microseconds
            #expect((90_000_000..<150_000_000).contains(uptime))
            try await store.remove(other.id)
            #expect(try await store.instances().map(\.identity) == [one])
        }
    }

    @Test("an instance is live for 10 s, whatever the clocks were meanwhile, and its row stays for minutes")
    func liveness() async throws {
        try await StoreFixture.with { fixture in
            let store = PostgresInstances(pool: fixture.pool)
            let one = try Self.identity("one")
            for (seconds, isLive, isKept) in [
                (-9.0, true, true), (-10.5, false, true), (-290, false, true), (-310, false, false), (9, true, true),
                (86_400, false, false),
            ] {
                _ = try await store.record(Heartbeat(identity: one, uptime: .zero, progress: Self.start))
                try await fixture.sql("UPDATE instances SET seen = clock_timestamp() + interval '\(seconds) s'")
                #expect(try await store.instances().map(\.isLive) == [isLive], "\(seconds) s")
                let other = Heartbeat(identity: try Self.identity("other"), uptime: .zero, progress: Self.start)
                #expect(try await store.record(other) == (isLive ? 2 : 1), "\(seconds) s")
                try await store.remove(other.identity.id)
                try await store.removeOld()
                #expect(try await store.instances().count == (isKept ? 1 : 0), "\(seconds) s")
            }
        }
    }

    @Test("the clock of an instance does not matter")
    func clock() async throws {
        try await StoreFixture.with { fixture in
            let store = PostgresInstances(pool: fixture.pool)
            let day = Duration.seconds(86_400)
            for offset in [day, .zero - day] {
                let system = TimeSource.system
                let time = TimeSource(
                    now: { system.now().advanced(by: offset) }, uptime: { system.uptime() + day }, sleep: system.sleep)
                let freshness = IndexFreshness(maxStaleness: .seconds(60), time: time)
                freshness.recordSync(startedAt: time.uptime())
                let heartbeat = InstanceHeartbeat(store: store, time: time, logger: StoreFixture.logger) {
                    InstanceProgress(applied: 1, indexAge: freshness.age)
                }
                let identity = try Self.identity("off")
                let task = Task { await heartbeat.run(as: identity) }
                try await eventually("the heartbeat") { heartbeat.liveInstances == 1 }
                let record = try #require(try await store.instances().first)
                let now = try #require(
                    try await fixture.pool.query("SELECT clock_timestamp()").rows.first?.timestamp(0))
                #expect(record.isLive)
                for moment in [record.startedAt, record.seenAt] {
                    #expect(abs(now - moment.microseconds) < 60_000_000)
                }
                #expect(try #require(record.progress.indexAge) < .seconds(60))
                task.cancel()
                await task.value
                await heartbeat.end()
                #expect(try await store.instances().isEmpty)
            }
        }
    }

    @Test("the lag counts the changes that an instance had not read at its heartbeat")
    func lag() async throws {
        try await StoreFixture.alone { fixture in
            let store = PostgresInstances(pool: fixture.pool)
            let identity = try Self.identity("one")
            func lag(applied: UInt64, indexAge: Duration) async throws -> Int? {
                let progress = InstanceProgress(applied: applied, indexAge: indexAge)
                _ = try await store.record(Heartbeat(identity: identity, uptime: .zero, progress: progress))
                return try await store.instances().first?.lag
            }
            let before = try await fixture.store.changes(since: nil) { _ in }.watermark.position
            #expect(try await lag(applied: before, indexAge: .seconds(60)) == 0)
            let keys = (0..<3).map { StoreConformance.newKey(name: "\($0)") }
            for key in keys { _ = try await fixture.store.create(key, claim: nil) }
            #expect(try await lag(applied: before, indexAge: .seconds(60)) == 3)
            _ = try await fixture.store.deactivate(keys[0].id, by: .test)
            _ = try await fixture.store.delete(keys[0].id, version: nil, by: .test)
            #expect(try await lag(applied: before, indexAge: .seconds(60)) == 3)
            // Changes after the heartbeat are not the instance's fault.
            _ = try await fixture.store.create(StoreConformance.newKey(name: "later"), claim: nil)
            #expect(try await store.instances().first?.lag == 3)
            // A long transaction holds the position back, although the instance has read the changes.
            #expect(try await lag(applied: before, indexAge: .zero) == 0)
            let after = try await fixture.store.changes(since: nil) { _ in }.watermark.position
            #expect(try await lag(applied: after, indexAge: .seconds(60)) == 0)
        }
    }

    @Test("heartbeats leave no dead rows behind, and write no index")
    func updates() async throws {
        try await StoreFixture.alone { fixture in
            let store = PostgresInstances(pool: fixture.pool)
            try await fixture.sql("ALTER TABLE instances SET (autovacuum_enabled = false)")
            let identities = try (0..<20).map { try Self.identity("gw-\($0)") }
            let figures = "{\"busy\":\"\(String(repeating: "x", count: 500))\"}"
            for _ in 0..<100 {
                for identity in identities {
                    _ = try await store.record(
                        Heartbeat(identity: identity, uptime: .zero, progress: Self.start, figures: figures))
                }
            }
            let row = try #require(
                try await fixture.pool.query(
                    "SELECT pg_relation_size('instances') / 8192, pg_relation_size('instances_pkey') / 8192"
                ).rows.first)
            // Six rows a page at 30 %.
            #expect(try row.int64(0) <= 8 && row.int64(1) <= 2)
        }
    }

    @Test("rows that no instance writes are refused or ignored")
    func hostile() async throws {
        try await StoreFixture.with { fixture in
            let store = PostgresInstances(pool: fixture.pool)
            let identity = try Self.identity("one")
            let long = "{\"a\":\"\(String(repeating: "x", count: 20_000))\"}"
            for figures in [long, "[]"] {
                await #expect(throws: StoreError.self) {
                    try await store.record(
                        Heartbeat(identity: identity, uptime: .zero, progress: Self.start, figures: figures))
                }
            }
            _ = try await store.record(Heartbeat(identity: identity, uptime: .zero, progress: Self.start))
            for change in ["name = ''", "name = repeat('x', 65)", "kind = 'other'", "version = ''", "live = '1'"] {
                await #expect(throws: (any Error).self, "\(change)") {
                    try await fixture.sql("UPDATE instances SET \(change)")
                }
            }
            for change in ["synced = '-infinity', applied = '1'", "synced = '4000-01-01 BC', applied = '1'"] {
                try await fixture.sql("UPDATE instances SET \(change)")
                #expect(try await store.instances().first?.progress.indexAge == nil)
            }
            for moment in ["infinity", "-infinity", "20000-01-01"] {
                try await fixture.sql("UPDATE instances SET seen = '\(moment)'")
                #expect(try await store.instances().isEmpty)
            }
        }
    }

    @Test("an instance reports the position that its index has applied, and its keys")
    func position() async throws {
        try await StoreFixture.alone { fixture in
            let identity = try Self.identity("one")
            try await Self.run(fixture.connectionString, as: identity) { verification in
                let key = StoreConformance.newKey(name: "n")
                _ = try await fixture.store.create(key, claim: nil)
                let xid = try #require(
                    try await fixture.pool.query("SELECT changed_xid FROM auth_keys").rows.first?.xid8(0))
                try await eventually("the change in the index") { verification.index.count == 1 }
                try await eventually("the position of the change") {
                    try await verification.instances.instances().first?.progress.applied ?? 0 > xid
                }
                let record = try #require(try await verification.instances.instances().first)
                #expect(record.figures == #"{"keys": 1}"# && record.lag == 0)
                #expect(try #require(record.progress.indexAge) < .seconds(5))
            }
            #expect(try await PostgresInstances(pool: fixture.pool).instances().isEmpty)
        }
    }

    @Test("a crash of PostgreSQL empties the table, and the next heartbeat heals it")
    func crash() async throws {
        let server = try await TestServer.start()
        let connection = try await PostgresConnection.connect(
            to: try PostgresTarget(server.connectionString), logger: StoreFixture.logger)
        try await MigrationRunner(logger: StoreFixture.logger).up(on: connection)
        await connection.close()
        let identity = try Self.identity("one")
        try await Self.run(server.connectionString, as: identity) { verification in
            let before = try #require(try await verification.instances.instances().first)
            try await Psql.run("CHECKPOINT", on: server.connectionString)
            await server.crash()
            try await server.start()
            try await eventually("the row") {
                (try? await verification.instances.instances().first?.seenAt).map { $0 > before.seenAt } ?? false
            }
            let after = try #require(try await verification.instances.instances().first)
            #expect(after.identity == identity && after.isLive)
            #expect(abs(after.startedAt.microseconds - before.startedAt.microseconds) < 2_000_000)
        }
        await server.destroy()
    }

    @Test("calls of admins that hold all connections delay no heartbeat")
    func busy() async throws {
        try await StoreFixture.with { fixture in
            @Sendable func seen() async throws -> Timestamp? {
                try await PostgresInstances(pool: fixture.pool).instances().first?.seenAt
            }
            try await Self.run(fixture.connectionString, as: try Self.identity("one")) { verification in
                let pool = verification.pool
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<pool.statistics.maximum {
                        group.addTask {
                            try await pool.withConnection { _ in
                                while !Task.isCancelled { try? await Task.sleep(for: .seconds(60)) }
                            }
                        }
                    }
                    try await eventually("the calls") { pool.statistics.leased == pool.statistics.maximum }
                    let before = try #require(try await seen())
                    try await eventually("a heartbeat") { try await seen().map { $0 > before } ?? false }
                    group.cancelAll()
                    try await group.waitForAll()
                }
            }
        }
    }

    @Test("while heartbeats hang, revocations and lookups do not wait, and one line tells")
    func locked() async throws {
        try await StoreFixture.alone { fixture in
            let log = LogLines()
            @Sendable func lines() -> [String] {
                log.all.filter { $0.contains("heartbeat of this instance cannot be written") }
            }
            let key = StoreConformance.newKey(name: "n")
            _ = try await fixture.store.create(key, claim: nil)
            try await Self.run(fixture.connectionString, as: try Self.identity("one"), log: log) { verification in
                try await fixture.admin.execute(script: "BEGIN; LOCK TABLE instances IN ACCESS EXCLUSIVE MODE")
                for _ in 0..<2 {
                    let start = ContinuousClock.now
                    let other = StoreConformance.newKey(name: "other")
                    _ = try await fixture.store.create(other, claim: nil)
                    try await eventually("the change") { verification.index.state(of: other.digest) != nil }
                    #expect(ContinuousClock.now - start < .seconds(4))
                    try await Task.sleep(for: .seconds(6))
                }
                try await eventually("fresh keys") { verification.freshness.status == .ready }
                #expect(lines().count == 1, "\(lines())")
                try await fixture.admin.execute(script: "ROLLBACK")
                try await eventually("the heartbeat") { log.all.contains { $0.contains("can be written again") } }
                #expect(verification.heartbeat.liveInstances == 1 && lines().count == 1)
            }
        }
    }

    @Test("an instance on an older schema says once that it is not listed, and is listed after the migration")
    func migration() async throws {
        let database = try await TestDatabase.create()
        let connection = try await PostgresConnection.connect(
            to: try PostgresTarget(database.connectionString), logger: StoreFixture.logger)
        let older = MigrationCatalogue.all.filter { $0.version < 3 }
        try await MigrationRunner(migrations: older, logger: StoreFixture.logger).up(on: connection)
        let verification = PostgresVerification(
            target: try PostgresTarget(database.connectionString), maxStaleness: .seconds(3_600), usageInterval: nil,
            logger: StoreFixture.logger)
        let log = LogLines()
        let heartbeat = InstanceHeartbeat(
            store: verification.instances, logger: Logger(label: "test") { _ in log.handler }
        ) { Self.start }
        let identity = try Self.identity("one")
        try await verification.withConnections {
            let running = Task { await heartbeat.run(as: identity) }
            try await eventually("the line") { log.all.contains { $0.contains("cannot be written") } }
            try await Task.sleep(for: .seconds(6))
            #expect(log.all.count == 1 && heartbeat.liveInstances == nil, "\(log.all)")
            try await MigrationRunner(logger: StoreFixture.logger).up(on: connection)
            try await eventually("the heartbeat") { heartbeat.liveInstances == 1 }
            running.cancel()
            await running.value
            await heartbeat.end()
            #expect(try await verification.instances.instances().isEmpty)
        }
        await connection.close()
        try await database.drop()
    }
}
