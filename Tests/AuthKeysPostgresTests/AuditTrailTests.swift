import AuthKeys
import KeyAdministration
import LibPQ
import TestSupport
import Testing

@testable import AuthKeysPostgres
@testable import KeyAdministrationPostgres

@Suite("Audit trail in PostgreSQL", .timeLimit(.minutes(5)))
struct AuditTrailTests {
    /// Creates `count` events and seals them all.
    private func sealed(_ fixture: StoreFixture, _ count: Int) async throws {
        for _ in 0..<count { try await fixture.create(StoreConformance.newKey()) }
        try await AdminConformance.sealAll(fixture.store, count: count)
    }

    /// Runs statements as a role that may disable triggers.
    private func tamper(_ fixture: StoreFixture, _ statements: String) async throws {
        try await fixture.sql(
            """
            ALTER TABLE audit_events DISABLE TRIGGER USER;
            ALTER TABLE audit_seals DISABLE TRIGGER USER;
            \(statements);
            ALTER TABLE audit_events ENABLE TRIGGER USER;
            ALTER TABLE audit_seals ENABLE TRIGGER USER;
            """)
    }

    private func findings(_ fixture: StoreFixture) async throws -> [ChainVerifier.Finding] {
        try await fixture.store.verify(pageSize: 4).findings
    }

    @Test(
        "a change of any column is found, with its event",
        arguments: [
            "at = at - interval '1 hour'", "actor = 'anonymous'", "actor_name = 'someone'", "address = '10.0.0.1'",
            "request_id = ''", "action = 'key.delete'", "key_id = gen_random_uuid()", "key_id = NULL", "owner = 'them'",
            "outcome = 'refused'", "code = 'key_unknown'", "changes = '{}'",
        ])
    func changed(_ assignment: String) async throws {
        try await StoreFixture.with { fixture in
            try await sealed(fixture, 9)
            #expect(try await findings(fixture).isEmpty)
            try await tamper(fixture, "UPDATE audit_events SET \(assignment) WHERE id = 6")
            let found = try await findings(fixture)
            #expect(found.map(\.kind) == [.changed] && found.first?.event == 6, "\(found)")
        }
    }

    @Test("a removed event, a removed seal and a changed seal are found")
    func removed() async throws {
        try await StoreFixture.with { fixture in
            try await sealed(fixture, 9)
            try await tamper(fixture, "DELETE FROM audit_events WHERE id = 4")
            var found = try await findings(fixture)
            #expect(found.map(\.kind) == [.removed] && found.first?.event == 4, "\(found)")
            try await tamper(fixture, "DELETE FROM audit_seals WHERE event_id = 4")
            found = try await findings(fixture)
            #expect(found.map(\.kind) == [.removed] && found.first?.sequence == 4, "\(found)")
        }
        try await StoreFixture.with { fixture in
            try await sealed(fixture, 3)
            try await tamper(fixture, "UPDATE audit_seals SET sealed_at = sealed_at - interval '1 day' WHERE seq = 2")
            #expect(try await findings(fixture).map(\.kind) == [.changed])
        }
    }

    @Test("an event that is inserted among sealed ones, or with a future transaction, is found")
    func inserted() async throws {
        try await StoreFixture.with { fixture in
            try await sealed(fixture, 5)
            for xid in ["'100'::xid8", "(SELECT xid FROM audit_events WHERE id = 3)", "'999999999999'::xid8"] {
                try await tamper(
                    fixture,
                    """
                    INSERT INTO audit_events (at, xid, actor, address, request_id, action, outcome)
                    SELECT now(), \(xid), 'bootstrap', '', '', 'key.create', 'done'
                    """)
            }
            // Sealing continues without these events.
            try await fixture.create(StoreConformance.newKey())
            try await AdminConformance.sealAll(fixture.store, count: 6)
            let found = try await findings(fixture)
            #expect(found.map(\.kind) == [.inserted, .inserted, .inserted], "\(found)")
            #expect(Set(found.map(\.event)) == [6, 7, 8])
        }
    }

    @Test("an event that is overdue for sealing is found")
    func unsealed() async throws {
        try await StoreFixture.with { fixture in
            try await sealed(fixture, 2)
            try await fixture.create(StoreConformance.newKey())
            // While this session holds the lock, nothing is sealed.
            let holder = try await PostgresConnection.connect(to: fixture.target, logger: StoreFixture.logger)
            _ = try await holder.query("SELECT pg_advisory_lock($1)", [.int64(AuditSQL.lockKey)])
            let early = try await fixture.store.verify()
            #expect(early.isIntact && early.pendingCount == 1, "\(early)")
            try await tamper(fixture, "UPDATE audit_events SET at = at - interval '1 hour' WHERE id = 3")
            let overdue = try await eventually { try await findings(fixture).map(\.kind) == [.unsealed] }
            #expect(overdue)
            await holder.close()
        }
    }

    @Test("a truncated trail is found by comparison with a saved head")
    func truncated() async throws {
        try await StoreFixture.with { fixture in
            try await sealed(fixture, 8)
            let head = try #require(try await fixture.store.verify().head)
            let anchor = AuditEvent.Place(sequence: head.sequence, hash: head.hash)
            try await tamper(
                fixture, "DELETE FROM audit_events WHERE id > 5; DELETE FROM audit_seals WHERE event_id > 5")
            #expect(try await fixture.store.verify().isIntact, "the chain alone does not show the truncation")
            #expect(try await fixture.store.verify(anchor: anchor).findings.map(\.kind) == [.anchor])
            // It is still found after the trail has grown past the saved head.
            for _ in 0..<5 { try await fixture.create(StoreConformance.newKey()) }
            try await AdminConformance.sealAll(fixture.store, count: 10)
            #expect(try await fixture.store.verify(anchor: anchor).findings.map(\.kind) == [.anchor])
        }
    }

    @Test("the trail is append-only, and a trigger sets the time and transaction of its rows")
    func appendOnly() async throws {
        try await StoreFixture.with { fixture in
            try await sealed(fixture, 2)
            for statement in [
                "UPDATE audit_events SET actor = 'x'", "UPDATE audit_events SET actor = 'x' WHERE false",
                "DELETE FROM audit_events", "TRUNCATE audit_events", "UPDATE audit_seals SET seq = seq + 1",
                "DELETE FROM audit_seals", "TRUNCATE audit_seals", "TRUNCATE audit_events, audit_seals CASCADE",
            ] {
                do {
                    try await fixture.sql(statement)
                    Issue.record("allowed: \(statement)")
                } catch let error as PostgresError {
                    #expect(error.sqlState == "23001", "\(statement)")
                }
            }
            try await fixture.sql(
                """
                INSERT INTO audit_events (at, xid, actor, address, request_id, action, outcome)
                VALUES ('2001-01-01', '1', 'bootstrap', '', '', 'key.create', 'done')
                """)
            let last = try #require(try await fixture.store.events(AuditQuery(limit: 1)).first)
            #expect(last.at > Timestamp.now.advanced(by: .seconds(-60)) && last.transaction > 1)
            try await AdminConformance.sealAll(fixture.store, count: 3)
            #expect(try await findings(fixture).isEmpty)
        }
    }

    @Test("a seal that does not continue the chain is refused, and sealing continues")
    func falseSeals() async throws {
        try await StoreFixture.alone { fixture in
            try await sealed(fixture, 2)
            for _ in 0..<3 { try await fixture.create(StoreConformance.newKey()) }
            let head = try #require(try await fixture.store.sealed(after: 1, limit: 1).first?.seal)
            let events = try await fixture.store.unsealed(after: 0, limit: 10).events
            let status = try await fixture.store.auditStatus()
            #expect(events.map(\.id) == [3, 4, 5])
            func seals(
                _ events: some Sequence<AuditEvent>, after head: AuditSeal = head, at: Timestamp = status.now,
                horizon: UInt64 = status.horizon, history: String = status.history
            ) -> [AuditSeal] {
                SealingState(head: head, headTransaction: nil, history: history).seals(
                    for: Array(events), horizon: horizon, isCut: false, now: at)
            }
            func link(_ sequence: Int64, horizon: UInt64 = head.horizon, hash: SecretDigest = head.hash) -> AuditSeal {
                AuditSeal(
                    sequence: sequence, event: head.event, hash: hash, at: head.at, horizon: horizon,
                    history: head.history)
            }
            let earlier = try #require(try await fixture.store.sealed(after: 0, limit: 1).first?.seal)
            for (what, wrong) in [
                ("another link before it", seals(events, after: link(2, hash: earlier.hash))),
                ("a gap", seals(events, after: link(3))),
                ("an old time", seals(events, at: status.now.advanced(by: .seconds(-3_600)))),
                ("a future time", seals(events, at: status.now.advanced(by: .seconds(3_600)))),
                ("future transactions", seals(events, horizon: status.horizon + 1_000)),
                ("fewer transactions", seals(events, horizon: head.horizon - 1)),
                ("an unfinished horizon", seals(events, after: link(2, horizon: 0))),
                ("another cluster", seals(events, history: "another")),
                ("the first event omitted", seals(events.dropFirst())),
                ("the last event omitted", seals(events.dropLast())),
                ("an earlier event omitted", seals([events[1]], horizon: events[1].transaction)),
                (
                    "an event older than a sealed one",
                    seals([events[0]]) + seals([events[1]], after: seals([events[0]])[0])
                ),
            ] {
                let statement = AuditSQL.keep(wrong)
                do {
                    _ = try await fixture.admin.query(statement.sql, statement.parameters)
                    Issue.record("allowed: \(what)")
                } catch let error as PostgresError {
                    #expect(error.sqlState == "23001", "\(what): \(error.debugDescription)")
                }
            }
            let right = AuditSQL.keep(seals(events))
            _ = try await fixture.admin.query(right.sql, right.parameters)
            try await fixture.create(StoreConformance.newKey())
            try await AdminConformance.sealAll(fixture.store, count: 6)
            #expect(try await findings(fixture).isEmpty)
        }
    }

    @Test("sealed events of another cluster do not block sealing once transactions here reach their numbers")
    func foreignTransactions() async throws {
        try await StoreFixture.alone { fixture in
            let count = SealingState.batch + 100
            try await tamper(
                fixture,
                """
                INSERT INTO audit_events (at, xid, actor, address, request_id, action, outcome)
                SELECT now(), (pg_current_xact_id()::text::bigint + 100 + n)::text::xid8, 'bootstrap', '', '', 'key.create', 'done'
                FROM generate_series(1, \(count)) n
                """)
            try await AdminConformance.sealAll(fixture.store, count: count)
            try await fixture.sql(
                """
                DO $$BEGIN
                    FOR n IN 1..\(count + 200) LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP;
                END$$
                """)
            try await fixture.create(StoreConformance.newKey())
            try await AdminConformance.sealAll(fixture.store, count: count + 1)
            #expect(try await findings(fixture).isEmpty)
        }
    }

    @Test("events with unusual texts and times are sealed")
    func anyEvent() async throws {
        try await StoreFixture.with { fixture in
            let texts = ["", "a", "\u{e9}\u{1F511}\u{1}\\x00", String(repeating: "\u{4E2D}", count: 9_000)]
            try await fixture.store.record(
                texts.map { text in
                    var changes = AuditChanges()
                    changes.set("name", to: .string(text))
                    return NewAuditEvent(
                        actor: .system, origin: CallOrigin(address: text, requestID: text), action: .keyUpdate,
                        changes: changes)
                })
            try await tamper(
                fixture,
                """
                INSERT INTO audit_events (at, xid, actor, address, request_id, action, outcome)
                SELECT at, pg_current_xact_id(), '', '', '', '', 'done'
                FROM unnest('{infinity,-infinity,1970-01-01,0044-03-15 BC,9999-12-31}'::timestamptz[]) AS t (at)
                """)
            try await AdminConformance.sealAll(fixture.store, count: texts.count + 5)
            #expect(try await findings(fixture).isEmpty)
        }
    }

    @Test("a transaction that commits late is sealed, and no event is missed")
    func lateCommit() async throws {
        try await StoreFixture.with { fixture in
            let slow = try await PostgresConnection.connect(to: fixture.target, logger: StoreFixture.logger)
            try await slow.transaction { transaction in
                _ = try await transaction.query(
                    AuditSQL.append,
                    AuditSQL.parameters(of: [
                        NewAuditEvent(actor: .bootstrap, origin: AdminCall.test.origin, action: .keyUpdate)
                    ]))
                for _ in 0..<3 { try await fixture.create(StoreConformance.newKey()) }
                #expect(try await fixture.store.seal() == 0, "an older transaction is still open")
            }
            await slow.close()
            try await AdminConformance.sealAll(fixture.store, count: 4)
            let order = try await fixture.store.sealed(after: 0, limit: 10).map(\.event?.action)
            #expect(order == ["key.update", "key.create", "key.create", "key.create"])
            #expect(try await findings(fixture).isEmpty)
        }
    }

    @Test("with many concurrent sealers and writers, every event is sealed once, in one chain")
    func concurrent() async throws {
        try await StoreFixture.with { fixture in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        for _ in 0..<40 {
                            let key = StoreConformance.newKey()
                            try await fixture.create(key)
                            _ = try await fixture.store.deactivate(key.id)
                        }
                    }
                    group.addTask { for _ in 0..<60 { _ = try await fixture.store.seal() } }
                }
                try await group.waitForAll()
            }
            try await AdminConformance.sealAll(fixture.store, count: 320)
            let result = try await fixture.store.verify(pageSize: 50)
            #expect(result.isIntact && result.sealedCount == 320 && result.head?.sequence == 320, "\(result)")
        }
    }

    @Test("many events are sealed in batches, also those of one transaction")
    func batches() async throws {
        try await StoreFixture.with { fixture in
            try await sealed(fixture, 1)
            let event = NewAuditEvent(actor: .bootstrap, origin: AdminCall.test.origin, action: .keyUpdate)
            try await fixture.store.record(Array(repeating: event, count: SealingState.batch * 2 + 7))
            try await AdminConformance.sealAll(fixture.store, count: SealingState.batch * 2 + 8)
            let result = try await fixture.store.verify()
            #expect(result.isIntact && result.sealedCount == SealingState.batch * 2 + 8)
        }
    }

    @Test("after seals were removed from the end, sealing continues, and a saved head shows the removal")
    func resealed() async throws {
        try await StoreFixture.with { fixture in
            let event = NewAuditEvent(actor: .bootstrap, origin: AdminCall.test.origin, action: .keyUpdate)
            try await fixture.store.record(Array(repeating: event, count: 5))
            try await AdminConformance.sealAll(fixture.store, count: 5)
            let head = try #require(try await fixture.store.verify().head)
            try await tamper(fixture, "DELETE FROM audit_seals WHERE seq = 5")
            try await AdminConformance.sealAll(fixture.store, count: 5)
            #expect(try await findings(fixture).isEmpty)
            let anchor = AuditEvent.Place(sequence: head.sequence, hash: head.hash)
            #expect(try await fixture.store.verify(anchor: anchor).findings.map(\.kind) == [.anchor])
        }
    }

    @Test("a trail that was restored into another cluster continues there, and records this")
    func restored() async throws {
        try await StoreFixture.with { fixture in
            try await sealed(fixture, 3)
            try await fixture.create(StoreConformance.newKey())
            // Like a dump of a much older cluster, whose transaction ids are far ahead.
            try await tamper(fixture, "UPDATE audit_events SET xid = '900000000000' WHERE id = 4")
            try await tamper(
                fixture, "UPDATE audit_seals SET history = 'another', horizon = '900000000000' WHERE seq = 3")
            try await AdminConformance.sealAll(fixture.store, count: 4)
            try await fixture.create(StoreConformance.newKey())
            try await AdminConformance.sealAll(fixture.store, count: 5)
            let found = try await findings(fixture)
            #expect(
                found.map(\.kind) == [.changed] && found.first?.sequence == 3,
                "only the manual change of this test: \(found)")
        }
        try await StoreFixture.with { fixture in
            try await sealed(fixture, 2)
            try await tamper(fixture, "UPDATE audit_seals SET history = 'another' WHERE seq = 2")
            try await AdminConformance.sealAll(fixture.store, count: 3)
            let last = try #require(try await fixture.store.events(AuditQuery(limit: 1)).first)
            #expect(last.action == "audit.restored" && last.actor == "system" && last.changes.contains("another"))
            for _ in 0..<3 { #expect(try await fixture.store.seal() == 0) }
            #expect(try await fixture.store.events(AuditQuery()).count == 3, "the restore must be recorded once")
        }
    }

    @Test("corrupt rows are listed and verified, and do not block anything")
    func corrupt() async throws {
        try await StoreFixture.with { fixture in
            try await sealed(fixture, 4)
            try await tamper(
                fixture,
                "UPDATE audit_events SET at = 'infinity', actor = E'\\u00e9\\n', action = '', address = '' WHERE id = 2"
            )
            #expect(try await fixture.store.events(AuditQuery()).count == 4)
            #expect(try await findings(fixture).map(\.event) == [2])
        }
    }

    @Test("pages and sealable events are read from an index, with any filter")
    func plans() async throws {
        try await StoreFixture.with { fixture in
            try await tamper(
                fixture,
                """
                INSERT INTO audit_events (at, xid, actor, address, request_id, action, key_id, owner, outcome, code)
                SELECT now() - n * interval '1 second', (100000 - n)::text::xid8,
                    CASE WHEN n % 100 = 0 THEN 'anonymous' ELSE 'bootstrap' END, '', '',
                    CASE WHEN n % 1000 = 0 THEN 'key.delete' ELSE 'key.create' END, gen_random_uuid(), 'o' || n % 500,
                    CASE WHEN n % 100 = 0 THEN 'refused' ELSE 'done' END, NULL
                FROM generate_series(1, 30000) n;
                INSERT INTO audit_seals SELECT id, id, sha256(id::text::bytea), now(), '1', 'h' FROM audit_events;
                ANALYZE audit_events, audit_seals
                """)
            let middle = AuditCursor(at: Timestamp.now.advanced(by: .seconds(-15_000)), id: 5)
            for query in [
                AuditQuery(), AuditQuery(after: middle), AuditQuery(actor: "anonymous"),
                AuditQuery(after: middle, action: .keyDelete), AuditQuery(subject: .generate()),
                AuditQuery(refused: true), AuditQuery(owner: OwnerFilter("o7")),
                AuditQuery(oldestFirst: true, since: middle.at, until: middle.at.advanced(by: .seconds(60))),
            ] {
                let (sql, parameters) = AuditSQL.events(query)
                try await expectIndexed(fixture, sql, parameters)
            }
            try await expectIndexed(fixture, AuditSQL.sealable, [.xid8(99_000), .int64(0), .int64(1_001)])
            try await expectIndexed(fixture, AuditSQL.sealed, [.int64(20_000), .int64(100)])
            try await expectIndexed(fixture, AuditSQL.sealStates, [.int64(20_000), .int64(100)])
        }
    }

    private func expectIndexed(
        _ fixture: StoreFixture, _ sql: String, _ parameters: [PostgresParameter]
    ) async throws {
        let plan = try await fixture.admin.query("EXPLAIN (COSTS off) " + sql, parameters).rows.map { try $0.text(0) }
            .joined(separator: "\n")
        #expect(!plan.contains("Seq Scan"), "\(plan)")
    }
}
