import AuthKeys
import KeyAdministration
import LibPQ
import RequestLog
import TestSupport
import Testing

@testable import KeyAdministrationPostgres

@Suite("Statistics in PostgreSQL", .timeLimit(.minutes(5)))
struct TrafficStatisticsTests {
    private static let owners = ["acme", "acme/a", "acme/a/b", "acme/ab", "acme-x", "acme2", "other"]
    /// The beginning of a day.
    private static let start = Timestamp(microseconds: 1_800_057_600_000_000)

    /// Inserts roll-ups, one row a count.
    private static func insert(_ counts: TrafficCounts, instance: Int, _ fixture: StoreFixture) async throws {
        func durations(_ sum: TrafficSum) -> String { (0..<16).map { "\(sum.durations[$0])" }.joined(separator: ",") }
        for count in counts.minutes {
            let (group, sum) = (count.group, count.sum)
            try await fixture.sql(
                """
                INSERT INTO request_minutes VALUES (to_timestamp(\(group.minute * 60)), \(instance), \
                \(group.surface.rawValue), \(group.outcome.rawValue), '\(group.code)', \(sum.requests), \(sum.bytesIn), \
                \(sum.bytesOut), \(sum.microseconds), '{\(durations(sum))}')
                """)
        }
        for count in counts.hours {
            let (group, sum) = (count.group, count.totals.sum)
            let outcomes = RequestOutcome.allCases.map { "\(count.totals.outcomes[$0])" }.joined(separator: ",")
            try await fixture.sql(
                """
                INSERT INTO request_hours VALUES ('\(group.keyID)', to_timestamp(\(group.hour * 3_600)), \(outcomes), \
                \(sum.bytesIn), \(sum.bytesOut), \(sum.microseconds), '{\(durations(sum))}')
                """)
        }
    }

    @Test("statistics of random requests and filters are those of a search through all of them")
    func bruteForce() async throws {
        try await StoreFixture.with { fixture in
            var random = SeededRandom(state: 42)
            // The in-memory store adds up requests one by one.
            let model = InMemoryStore()
            var ids: [KeyID?] = [nil, .generate()]
            for number in 0..<20 {
                var attributes = KeyAttributes(name: "key \(number)")
                attributes.owner = number < 18 ? Self.owners.randomElement(using: &random) : nil
                attributes.labels = [[:], ["env": "prod"], ["env": "test", "team": "x"]][number % 3]
                let key = NewKey(id: .generate(), attributes: attributes, secret: NewSecret(Token.generate()))
                try await fixture.create(key)
                _ = try await model.create(key, claim: nil)
                ids.append(key.id)
            }
            var minutes: [MinuteCount.Group: TrafficSum] = [:]
            var hours: [HourCount.Group: TrafficTotals] = [:]
            for _ in 0..<1_500 {
                let outcome = RequestOutcome.allCases.randomElement(using: &random) ?? .allowed
                let counts = TrafficCounts(
                    requestsOf: [ids.randomElement(using: &random) ?? nil],
                    at: Self.start.advanced(by: .seconds(Int64.random(in: 0..<(4 * 86_400), using: &random))),
                    outcome: outcome, code: ["", "a", "b"].randomElement(using: &random) ?? "",
                    surface: RequestSurface.allCases.randomElement(using: &random) ?? .gateway,
                    microseconds: Int64.random(in: 0...(1 << Int64.random(in: 1...25, using: &random)), using: &random))
                model.add(counts)
                for count in counts.minutes { minutes[count.group, default: TrafficSum()].add(count.sum) }
                for count in counts.hours { hours[count.group, default: TrafficTotals()].add(count.totals) }
            }
            // Half of the minutes belong to another instance.
            try await Self.insert(
                TrafficCounts(
                    minutes: minutes.map { MinuteCount($0.key, $0.value) },
                    hours: hours.map { HourCount($0.key, $0.value) }),
                instance: 1, fixture)
            try await fixture.sql("UPDATE request_minutes SET instance = 2 WHERE surface > 3")

            for round in 0..<120 {
                let step = TrafficQuery.Step.allCases.randomElement(using: &random) ?? .hour
                let span: Int64 = step == .minute ? 86_400 : 5 * 86_400
                let since = Self.start.advanced(by: .seconds(Int64.random(in: -86_400..<(3 * 86_400), using: &random)))
                var query = try TrafficQuery(
                    step: step, since: since,
                    until: since.advanced(by: .seconds(Int64.random(in: 1...span, using: &random))))
                if round % 3 > 0 {
                    guard step != .minute else { continue }
                    if Bool.random(using: &random) {
                        query.owner = OwnerFilter(
                            Self.owners.randomElement(using: &random) ?? "", includesBelow: Bool.random(using: &random))
                    }
                    if Int.random(in: 0..<3, using: &random) == 0 {
                        query.keyID = ids.compactMap(\.self).randomElement(using: &random)
                    }
                    if Int.random(in: 0..<3, using: &random) == 0 {
                        query.labelName = ["env", "team", "none"].randomElement(using: &random)
                        query.labelValue = Bool.random(using: &random) ? "test" : nil
                    }
                }
                let (found, wanted) = (try await fixture.store.traffic(query), try await model.traffic(query))
                #expect(found?.points == wanted?.points, "\(query)")
                #expect(found?.total == wanted?.total)
                #expect(found?.parts?.map(\.sum.requests) == wanted?.parts?.map(\.sum.requests), "\(query)")
                let sorted = { (parts: [TrafficReport.Part]?) in
                    parts?.sorted {
                        ($0.surface.rawValue, $0.outcome.rawValue, $0.code ?? "")
                            < ($1.surface.rawValue, $1.outcome.rawValue, $1.code ?? "")
                    }
                }
                #expect(sorted(found?.parts) == sorted(wanted?.parts))
            }
        }
    }

    @Test("the minutes of a key are those of the lines of the request log, with their weights")
    func minutesOfKey() async throws {
        try await StoreFixture.with { fixture in
            let log = try await RequestLogFixture.make(fixture)
            var random = SeededRandom(state: 7)
            // All kinds of durations, and those at the bounds of the buckets.
            let lines = (0..<2_000).map { number in
                let age = Int64.random(in: 0..<7_200_000_000, using: &random)
                var line = log.line(at: Timestamp(microseconds: Timestamp.now.microseconds - age), &random)
                line.keyID = log.keys[number % log.keys.count].id
                let bound = DurationBuckets.bounds.randomElement(using: &random) ?? 0
                line.microseconds = [bound, bound + 1, line.microseconds].randomElement(using: &random) ?? 0
                return line
            }
            try await log.insert(lines)
            for key in log.keys {
                var query = try TrafficQuery(
                    step: .minute, since: Timestamp.now.advanced(by: .seconds(-5_400)),
                    until: Timestamp.now.advanced(by: .seconds(-600)))
                query.keyID = key.id
                var points: [Int64: TrafficTotals] = [:]
                for line in lines where line.keyID == key.id && line.at >= query.since && line.at < query.until {
                    var sum = TrafficSum()
                    let weight = Int64(line.weight)
                    sum.requests = weight
                    (sum.bytesIn, sum.bytesOut) = (line.bytesIn * weight, line.bytesOut * weight)
                    sum.microseconds = line.microseconds * weight
                    var counts = [Int64](repeating: 0, count: DurationBuckets.count)
                    counts[DurationBuckets.index(ofMicroseconds: line.microseconds)] = weight
                    sum.durations = DurationCounts(counts)
                    let minute = line.at.microseconds / 60_000_000 * 60_000_000
                    points[minute, default: TrafficTotals()].add(sum, outcome: try #require(line.outcome))
                }
                let wanted = points.sorted { $0.key < $1.key }.map {
                    TrafficReport.Point(at: Timestamp(microseconds: $0.key), totals: $0.value)
                }
                #expect(try await fixture.store.traffic(query) == TrafficReport(points: wanted))
                #expect(wanted.count > 20)
                // The owner is the current one of the key.
                query.owner = OwnerFilter(key.owner ?? "acme")
                let isOwned = key.name != nil && key.owner != nil
                #expect(try await fixture.store.traffic(query) == TrafficReport(points: isOwned ? wanted : []))
            }
        }
    }

    @Test("statistics that take too long are refused, and their session has no timeout afterwards")
    func timeout() async throws {
        try await StoreFixture.with { fixture in
            // Ten keys with an hour each, of which each read takes a tenth of a second.
            try await fixture.sql(
                """
                ALTER TABLE request_hours RENAME TO stored_hours;
                CREATE FUNCTION slow(key uuid) RETURNS uuid LANGUAGE plpgsql VOLATILE AS
                    'BEGIN PERFORM pg_sleep(0.1); RETURN key; END';
                INSERT INTO stored_hours SELECT gen_random_uuid(), to_timestamp(1800057600), 1, 0, 0, 0, 0, 0, 0, 0,
                    array_fill(0::int8, ARRAY[16]) FROM generate_series(1, 10);
                CREATE VIEW request_hours AS SELECT slow(key_id) AS key_id, hour, allowed, denied, limited, failed,
                    terminated, bytes_in, bytes_out, micros, durations FROM stored_hours;
                """)
            var query = try TrafficQuery(
                step: .hour, since: Self.start, until: Self.start.advanced(by: .seconds(3_600)))
            query.keyID = .generate()
            #expect(try await fixture.store.traffic(query, timeout: .milliseconds(200)) == nil)
            #expect(try await fixture.store.traffic(query, timeout: .seconds(60)) == TrafficReport())
            let setting = try await fixture.pool.query("SHOW statement_timeout").rows.first?.text(0)
            #expect(setting == "0" || setting?.hasSuffix("ms") == false)
        }
    }
}
