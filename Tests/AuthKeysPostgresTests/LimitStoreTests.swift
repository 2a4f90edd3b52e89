import Foundation
import LibPQ
import TestSupport
import Testing

@testable import AuthKeys
@testable import AuthKeysPostgres

@Suite("Limit store")
struct LimitStoreTests {
    /// A row as the statement left it.
    private struct Row {
        let level: Double
        /// Seconds since 1970.
        let at: Double
        let wanted: Double
        let fullAt: Double
    }

    private func with(_ body: @Sendable (PostgresLimitStore, StoreFixture) async throws -> Void) async throws {
        try await StoreFixture.with { try await body(PostgresLimitStore(pool: $0.pool), $0) }
    }

    private func row(_ id: LimitID, in table: String, of fixture: StoreFixture) async throws -> Row? {
        try await fixture.admin.query(
            """
            SELECT level, extract(epoch FROM at)::float8, wanted, extract(epoch FROM full_at)::float8
            FROM \(table) WHERE id = $1
            """, [.uuid(PostgresUUID(high: id.high, low: id.low))]
        ).rows.first?.read { row throws(PostgresError) in
            Row(
                level: try row.nextDouble(), at: try row.nextDouble(), wanted: try row.nextDouble(),
                fullAt: try row.nextDouble())
        }
    }

    private func question(
        _ id: LimitID, period: CalendarPeriod? = nil, rate: Double = 10, burst: Double = 100, tau: Double = 1,
        debit: Double = 0, want: Double = 0, asked: Double = 0, demand: Double = 1, isKnown: Bool = false
    ) -> LimitQuestion {
        LimitQuestion(
            id: id, period: period, rate: rate, burst: burst, tau: tau, debit: debit, want: want, asked: asked,
            demand: demand, isKnown: isKnown)
    }

    private func id(_ number: UInt64) -> LimitID { LimitID(high: number, low: number &* 7) }

    /// - Parameter error: the absolute error, besides a relative one.
    private func isNear(_ left: Double, _ right: Double, within error: Double = 1e-5) -> Bool {
        abs(left - right) <= error + 1e-5 * max(abs(left), abs(right))
    }

    @Test("the statement and the model give equal answers for random sequences", arguments: [1, 2, 3, 4] as [UInt64])
    func model(_ seed: UInt64) async throws {
        try await with { store, fixture in
            var random = SeededRandom(state: seed)
            let ids = (1...4).map { id($0) }
            var models: [LimitID: LimitRow] = [:]
            var passed = 0.0
            for step in 0..<150 {
                // Time passes: from nothing to hours, in which demand is forgotten.
                let pauses: [Double] = [0, 0.01, 0.3, 2, 60, 10_000]
                let pause = pauses.randomElement(using: &random) ?? 0
                try await fixture.sql("UPDATE limit_levels SET at = at - interval '1 second' * \(pause)")
                passed += pause
                let asked = ids.filter { _ in Bool.random(using: &random) }
                let questions = asked.map { id in
                    let rates: [Double] = [0.5, 10, 1_000]
                    let rate = rates.randomElement(using: &random) ?? 1
                    return question(
                        id, rate: rate, burst: rate * (Bool.random(using: &random) ? 1 : 60),
                        tau: .random(in: 0.5...5, using: &random),
                        debit: Bool.random(using: &random) ? 0 : .random(in: 0...rate, using: &random),
                        want: .random(in: -rate...3 * rate, using: &random),
                        asked: Double(Int.random(in: 0...20, using: &random)),
                        demand: .random(in: 0...20, using: &random), isKnown: models[id] != nil)
                }
                let answers = try await store.settle(questions)
                #expect(Set(answers.map(\.id)) == Set(asked))
                for question in questions {
                    let row = try #require(try await row(question.id, in: "limit_levels", of: fixture))
                    let answer = try #require(answers.first { $0.id == question.id })
                    var model = models[question.id] ?? LimitRow(at: row.at + passed)
                    let expected = model.settle(question, at: row.at + passed)
                    // The clock of the database counts microseconds.
                    let error = 1e-5 + 3e-6 * question.rate
                    func isEqual(_ left: Double, _ right: Double) -> Bool { isNear(left, right, within: error) }
                    #expect(isEqual(answer.granted, expected.granted), "\(step): \(question) \(answer) \(expected)")
                    #expect(isEqual(answer.available, expected.available), "\(step): \(answer) \(expected)")
                    #expect(isNear(answer.share, expected.share) && answer.periodEnds == nil, "\(step)")
                    #expect(isEqual(row.level, model.level) && isNear(row.wanted, model.wanted), "\(step): \(row)")
                    let fullAt = model.fullAt(rate: question.rate) - passed
                    #expect(abs(row.fullAt - fullAt) < 0.01, "\(step): \(row)")
                    models[question.id] = model
                }
            }
        }
    }

    @Test("a quota begins anew with its calendar period, which the database computes in UTC")
    func quotas() async throws {
        var calendar = Calendar(identifier: .iso8601)
        calendar.timeZone = try #require(TimeZone(identifier: "UTC"))
        let units: [(CalendarPeriod, Calendar.Component)] = [
            (.hour, .hour), (.day, .day), (.week, .weekOfYear), (.month, .month),
        ]
        try await StoreFixture.with(defaults: ["TimeZone": "Pacific/Auckland"]) { [calendar] fixture in
            let store = PostgresLimitStore(pool: fixture.pool)
            for (number, (period, unit)) in units.enumerated() {
                let id = id(UInt64(number))
                func take(_ units: Double) async throws -> LimitAnswer {
                    try #require(
                        try await store.settle([question(id, period: period, debit: 7, want: units, demand: 5)]).first)
                }
                #expect(try await take(3).available == 90, "\(period)")
                // The debit of 7 leaves 83.
                #expect(try await take(100).granted == 83, "\(period)")
                // The same period: nothing comes back, and what was taken beyond it is owed.
                let (none, owed) = (try await take(5), try await take(5))
                #expect(none.granted == 0 && owed.available == -14, "\(period)")
                let row = try #require(try await row(id, in: "limit_quotas", of: fixture))
                let interval = try #require(
                    calendar.dateInterval(of: unit, for: Date(timeIntervalSince1970: row.at)))
                #expect(isNear(row.fullAt, interval.end.timeIntervalSince1970), "\(period)")
                let ends = try #require(try await take(0).periodEnds)
                #expect(abs(row.at + ends - interval.end.timeIntervalSince1970) < 60, "\(period) \(ends)")
                // The last moment of the period before.
                try await fixture.sql(
                    "UPDATE limit_quotas SET at = to_timestamp(\(interval.start.timeIntervalSince1970 - 0.001))")
                #expect(try await take(3).available == 90, "\(period)")
            }
            #expect(try await fixture.admin.query("SELECT FROM limit_levels").rows.isEmpty)
        }
    }

    @Test("the beginning and the end of a month with a given day are those of the calendar")
    func monthDays() async throws {
        try await with { _, fixture in
            for (day, time, start, end) in [
                (1, "2026-03-01 00:00:00", "2026-03-01", "2026-04-01"),
                (31, "2026-03-30 12:00:00", "2026-02-28", "2026-03-31"),
                (31, "2026-02-28 00:00:00", "2026-02-28", "2026-03-31"),
                (31, "2028-02-28 23:59:59", "2028-01-31", "2028-02-29"),
                (15, "2026-12-20 00:00:00", "2026-12-15", "2027-01-15"),
                (15, "2027-01-01 00:00:00", "2026-12-15", "2027-01-15"),
                (30, "2026-05-29 23:59:59", "2026-04-30", "2026-05-30"),
            ] {
                let at = "timestamptz '\(time)Z'"
                let row = try #require(
                    try await fixture.admin.query(
                        """
                        SELECT to_char(\(CalendarSQL.start("'month'", day: "\(day)", at: at)) AT TIME ZONE 'UTC', 'YYYY-MM-DD'),
                            to_char(\(CalendarSQL.end("'month'", day: "\(day)", at: at)) AT TIME ZONE 'UTC', 'YYYY-MM-DD')
                        """
                    ).rows.first)
                #expect(try row.text(0) == start && row.text(1) == end, "\(day) \(time)")
            }
        }
    }

    @Test("a question about a row that is gone has no answer, and the others have one")
    func gone() async throws {
        try await with { store, _ in
            _ = try await store.settle([question(id(1), debit: 5)])
            let both = [question(id(1), debit: 5, isKnown: true), question(id(2), debit: 5, isKnown: true)]
            #expect(try await store.settle(both).map(\.id) == [id(1)])
            #expect(try await store.settle([]).isEmpty)
        }
    }

    @Test("numbers that PostgreSQL cannot calculate with are answered")
    func extremes() async throws {
        try await with { store, _ in
            for number in [Double.nan, .infinity, 1e300, .leastNonzeroMagnitude, -.leastNonzeroMagnitude, 0] {
                for isKnown in [false, true] {
                    let answers = try await store.settle([
                        question(id(1), debit: number, want: number, asked: number, demand: number, isKnown: isKnown)
                    ])
                    #expect(answers.count == 1 && answers.allSatisfy { $0.available.isFinite }, "\(number)")
                }
            }
        }
    }

    @Test("a statement that waited for a row does not set the time of the row back")
    func time() async throws {
        try await with { store, fixture in
            _ = try await store.settle([question(id(1), debit: 50)])
            let first = try #require(try await row(id(1), in: "limit_levels", of: fixture))
            try await fixture.sql("UPDATE limit_levels SET at = at + interval '1 hour'")
            let answer = try #require(try await store.settle([question(id(1), isKnown: true)]).first)
            let second = try #require(try await row(id(1), in: "limit_levels", of: fixture))
            #expect(isNear(second.at, first.at + 3_600) && answer.available == 50)
        }
    }

    @Test("sessions that use the same limits in any order neither deadlock nor exceed them", .timeLimit(.minutes(2)))
    func concurrently() async throws {
        try await with { _, fixture in
            let (rate, burst) = (100.0, 50.0)
            let start = ContinuousClock.now
            let granted = try await withThrowingTaskGroup(of: [LimitID: Double].self) { group in
                for session in 0..<8 {
                    group.addTask {
                        let connection = PostgresPool(target: fixture.target, logger: StoreFixture.logger)
                        let running = Task { await connection.run() }
                        let store = PostgresLimitStore(pool: connection)
                        var granted: [LimitID: Double] = [:]
                        for round in 0..<60 {
                            var questions = (1...20).map { number in
                                question(
                                    id(UInt64(number)), rate: rate, burst: burst, want: 5, asked: 5, demand: 5,
                                    isKnown: round > 0 && session > 0)
                            }
                            if session % 2 == 1 { questions.reverse() }
                            for answer in try await store.settle(questions) {
                                granted[answer.id, default: 0] += answer.granted
                            }
                        }
                        await connection.close()
                        await running.value
                        return granted
                    }
                }
                return try await group.reduce(into: [:]) { $0.merge($1, uniquingKeysWith: +) }
            }
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            #expect(granted.count == 20)
            for (id, units) in granted {
                #expect(units >= burst && units <= burst + rate * seconds + 1, "\(id): \(units) in \(seconds) s")
            }
        }
    }

    @Test("full levels and old slots are deleted, and others stay")
    func prune() async throws {
        try await with { store, fixture in
            _ = try await store.settle([question(id(1), debit: 5), question(id(2), debit: 5)])
            _ = try await store.settle([
                question(id(1), period: .day, debit: 5), question(id(2), period: .day, debit: 5),
            ])
            let instance = KeyID.generate()
            _ = try await store.renewSlots([SlotQuestion(id: id(3), limit: 2, want: 1)], of: instance)
            _ = try await store.renewSlots([SlotQuestion(id: id(4), limit: 2, want: 1)], of: instance)
            for table in ["limit_levels", "limit_quotas"] {
                try await fixture.sql(
                    """
                    UPDATE \(table) SET full_at = clock_timestamp() + interval '1 hour';
                    UPDATE \(table) SET full_at = clock_timestamp() - interval '2 minutes'
                    WHERE id = '\(UUID(id(1)))'
                    """)
            }
            try await fixture.sql(
                "UPDATE limit_slots SET at = at - interval '2 minutes' WHERE id = '\(UUID(id(3)))'")
            try await store.prune()
            for table in ["limit_levels", "limit_quotas"] {
                #expect(try await row(id(1), in: table, of: fixture) == nil, "\(table)")
                #expect(try await row(id(2), in: table, of: fixture) != nil, "\(table)")
            }
            #expect(try await fixture.admin.query("SELECT FROM limit_slots").rows.count == 1)
        }
    }

    @Test("instances share the slots of a limit, and those of a dead instance return")
    func slots() async throws {
        try await with { store, fixture in
            let (one, two) = (KeyID.generate(), KeyID.generate())
            func renew(_ instance: KeyID, _ want: Int64) async throws -> SlotAnswer? {
                try await store.renewSlots([SlotQuestion(id: id(1), limit: 5, want: want)], of: instance).first
            }
            #expect(try await renew(one, 3) == SlotAnswer(id: id(1), granted: 3, others: 0))
            #expect(try await renew(two, 4) == SlotAnswer(id: id(1), granted: 2, others: 3))
            #expect(try await renew(one, 3) == SlotAnswer(id: id(1), granted: 3, others: 2))
            #expect(try await renew(one, 0) == SlotAnswer(id: id(1), granted: 0, others: 2))
            #expect(try await renew(one, 4) == SlotAnswer(id: id(1), granted: 3, others: 2))
            try await fixture.sql("UPDATE limit_slots SET at = at - interval '11 seconds'")
            #expect(try await renew(two, 5) == SlotAnswer(id: id(1), granted: 5, others: 0))
            #expect(try await renew(one, 1) == SlotAnswer(id: id(1), granted: 0, others: 5))
        }
    }

    @Test("concurrent renewals never grant more slots than the limit")
    func concurrentSlots() async throws {
        try await with { store, _ in
            let granted = try await withThrowingTaskGroup(of: Int64.self) { group in
                for _ in 0..<12 {
                    group.addTask {
                        try await store.renewSlots([SlotQuestion(id: id(1), limit: 10, want: 2)], of: .generate())
                            .first?.granted ?? 0
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(granted == 10)
        }
    }

    @Test("definitions have all plans and owners, and mark corrupt ones")
    func definitions() async throws {
        try await with { store, fixture in
            let empty = try #require(try await store.definitions(unless: nil))
            #expect(empty.plans.isEmpty && empty.owners.isEmpty)
            try await fixture.sql(
                """
                INSERT INTO limit_plans (name, limits) VALUES ('gold', '[{"name":"day","limit":5,"per":"day"}]'),
                    ('none', '[]'), ('broken', '[{"name":"day"}]');
                INSERT INTO owner_limits (owner, limits) VALUES ('acme/a', '[{"name":"all","concurrent":5}]'),
                    ('acme/b', '[{"concurrent":5}]')
                """)
            let day = try #require(LimitRule("day", .quota(.day), limit: 5))
            let all = try #require(LimitRule("all", .concurrent, limit: 5))
            let found = try #require(try await store.definitions(unless: empty.revision))
            #expect(
                found.plans == [
                    SharedDefinition("broken", limits: nil), SharedDefinition("gold", limits: [day]),
                    SharedDefinition("none", limits: []),
                ])
            #expect(
                found.owners == [
                    SharedDefinition("acme/a", limits: [all]), SharedDefinition("acme/b", limits: nil),
                ])
        }
    }

    @Test(
        "each change of plans and owner limits changes the revision",
        arguments: [
            "UPDATE limit_plans SET description = 'x'", "DELETE FROM limit_plans", "TRUNCATE owner_limits",
            "INSERT INTO owner_limits (owner, limits) VALUES ('b', '[]')",
        ])
    func revision(_ statement: String) async throws {
        try await with { store, fixture in
            try await fixture.sql(
                """
                INSERT INTO limit_plans (name, limits) VALUES ('gold', '[]');
                INSERT INTO owner_limits (owner, limits) VALUES ('a', '[]')
                """)
            let first = try #require(try await store.definitions(unless: nil)?.revision)
            #expect(try await store.definitions(unless: first) == nil)
            try await fixture.sql(statement)
            let second = try #require(try await store.definitions(unless: first)?.revision)
            #expect(second != first)
            #expect(try await store.definitions(unless: second) == nil)
        }
    }

    // MARK: - Credits

    private func credits(
        _ fixture: StoreFixture, _ values: String, of columns: String = "remaining"
    ) async throws -> KeyID {
        let id = KeyID.generate()
        try await fixture.sql("INSERT INTO auth_key_credits (key_id, \(columns)) VALUES ('\(id)', \(values))")
        return id
    }

    private func lease(
        _ store: PostgresLimitStore, _ id: KeyID, debit: Int64 = 0, want: Int64 = 0, share: Double = 1
    ) async throws -> CreditAnswer {
        let question = CreditQuestion(key: id, debit: debit, want: want, share: share)
        return try #require(try await store.leaseCredits([question]).first)
    }

    @Test("a lease of credits is bounded by the share, by a part of what is left, and by what is left")
    func leases() async throws {
        try await with { store, fixture in
            let id = try await credits(fixture, "10000")
            #expect(try await lease(store, id, want: 50).granted == 50)
            #expect(try await lease(store, id, want: 5_000).granted == 1_000)
            #expect(try await lease(store, id, want: 5_000, share: 0.01).granted == 89)
            let back = try await lease(store, id, want: -1_139)
            #expect(back.granted == -1_139 && back.remaining == 10_000 && back.refillsIn == nil)
            // No more is given back than was leased or spent.
            #expect(
                try await lease(store, id, debit: 4, want: -100)
                    == CreditAnswer(key: id, granted: -4, remaining: 10_000, refillsIn: nil))
            let large = try await credits(fixture, "1000000")
            #expect(try await lease(store, large, want: 500_000).granted == 10_000)
            let last = try await credits(fixture, "1")
            #expect(
                try await lease(store, last, want: 5, share: 0.1)
                    == CreditAnswer(key: last, granted: 1, remaining: 0, refillsIn: nil))
            #expect(try await lease(store, last, want: 5).granted == 0)
            // What was spent already is debited in any case.
            #expect(
                try await lease(store, last, debit: 3, want: 5)
                    == CreditAnswer(key: last, granted: 0, remaining: -3, refillsIn: nil))
            let unknown = KeyID.generate()
            #expect(
                try await lease(store, unknown, debit: 3, want: 5)
                    == CreditAnswer(key: unknown, granted: 0, remaining: 0, refillsIn: nil))
        }
    }

    @Test("a due refill takes place once before a lease, whatever happened since")
    func refills() async throws {
        try await with { store, fixture in
            let columns = "remaining, refill_amount, refill_every, refilled_at, refill_adds, refill_maximum"
            let set = try await credits(fixture, "-5, 100, 'day', now() - interval '3 days', false, NULL", of: columns)
            #expect(try await lease(store, set, debit: 2, want: 10).remaining == 88)
            let again = try await lease(store, set, want: 10)
            #expect(again.remaining == 78 && again.refillsIn.map { $0 > 0 && $0 <= 86_400 } == true)
            // Each period adds its amount.
            let add = try await credits(fixture, "5, 100, 'day', now() - interval '3 days', true, NULL", of: columns)
            #expect(try await lease(store, add).remaining == 305)
            let capped = try await credits(
                fixture, "5, 100, 'week', now() - interval '70 days', true, 250", of: columns)
            #expect(try await lease(store, capped).remaining == 250)
            let over = try await credits(
                fixture, "900, 100, 'month', now() - interval '70 days', true, 250", of: columns)
            #expect(try await lease(store, over).remaining == 900)
            let months = try await credits(
                fixture, "0, 100, 'month', now() - interval '1 year', true, NULL", of: columns)
            #expect(try await lease(store, months).remaining == 1_200)
            let never = try await credits(
                fixture, "7, 100, 'month', now() + interval '1 year', false, NULL", of: columns)
            #expect(try await lease(store, never).remaining == 7)
        }
    }

    @Test("concurrent leases neither lose credits nor grant more than there are")
    func concurrentLeases() async throws {
        try await with { store, fixture in
            let keys = [try await credits(fixture, "500"), try await credits(fixture, "500")]
            let spent = try await withThrowingTaskGroup(of: Int64.self) { group in
                for session in 0..<8 {
                    group.addTask {
                        var spent: Int64 = 0
                        for _ in 0..<20 {
                            let questions = keys.map { CreditQuestion(key: $0, debit: 1, want: 7, share: 0.5) }
                            let answers = try await store.leaseCredits(
                                session % 2 == 0 ? questions : questions.reversed())
                            spent += answers.reduce(2) { $0 + $1.granted }
                        }
                        return spent
                    }
                }
                return try await group.reduce(0, +)
            }
            let row = try #require(
                try await fixture.admin.query(
                    "SELECT sum(remaining)::int8, sum(spent)::int8, min(remaining) FROM auth_key_credits"
                ).rows.first)
            #expect(try row.int64(1) == spent && row.int64(0) + spent == 1_000)
            #expect(try row.int64(2) >= -160)
        }
    }
}

extension UUID {
    fileprivate init(_ id: LimitID) {
        let bytes = withUnsafeBytes(of: (id.high.bigEndian, id.low.bigEndian)) { Array($0) }
        self = bytes.withUnsafeBytes { UUID(uuid: $0.load(as: uuid_t.self)) }
    }
}
