import AuthKeys
import AuthKeysPostgres
import HTTPCredentials
import LibPQ
import RequestLog
import TestSupport
import Testing

@testable import RequestLogPostgres

@Suite("Writer of the request log", .timeLimit(.minutes(10)))
struct RequestLogWriterTests {
    /// All columns of a line as text, with names in place of their numbers.
    private static let columns = """
        SELECT concat_ws('|', (extract(epoch FROM at) * 1000000)::bigint, replace(l.id::text, '-', ''), key_id::text IS NULL,
            key_id, micros, upstream_micros IS NULL, upstream_micros, bytes_in, bytes_out, weight, i.name, u.name, status,
            surface, outcome, flags, method, path, coalesce(query, '~'), coalesce(code, '~'),
            coalesce(encode(inet_send(address), 'hex'), '~'), coalesce(agent, '~'), coalesce(owner, '~'))
        FROM request_log l LEFT JOIN request_log_names i ON i.id = instance AND i.kind = 'instance'
        LEFT JOIN request_log_names u ON u.id = upstream AND u.kind = 'upstream'
        """

    private func columns(_ line: SentLine, _ log: RequestLog) -> String {
        func text(_ bytes: [UInt8], empty: String = "~") -> String {
            let text = String(decoding: bytes, as: UTF8.self)
            return text.isEmpty ? empty : text.replacing("\0", with: "\u{FFFD}")
        }
        var cleaned = line
        var buffer: [UInt8] = []
        line.with { line in log.privacy.clean(line, using: &buffer) { cleaned = SentLine($0) } }
        var fields = ["\(cleaned.at.microseconds)", "\(cleaned.id)", cleaned.keyID == nil ? "t" : "f"]
        fields += cleaned.keyID.map { ["\($0)"] } ?? []
        fields += ["\(cleaned.microseconds)", cleaned.upstreamMicroseconds == nil ? "t" : "f"]
        fields += cleaned.upstreamMicroseconds.map { ["\($0)"] } ?? []
        fields += ["\(cleaned.bytesIn)", "\(cleaned.bytesOut)", "\(cleaned.weight)", "test:1"]
        fields += log.upstreams.name(cleaned.upstream).map { [$0] } ?? []
        fields += ["\(cleaned.status)", "\(cleaned.surface.rawValue)", "\(cleaned.outcome.rawValue)"]
        fields += ["\(cleaned.flags.rawValue)"]
        fields += [text(cleaned.method, empty: ""), text(cleaned.path, empty: ""), text(cleaned.query)]
        fields.append(cleaned.code.map { $0.replacing("\0", with: "\u{FFFD}") } ?? "~")
        let head = cleaned.address?.isV4 == true ? "02200004" : "03800010"
        let digits = cleaned.address?.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        fields.append(digits.map { head + $0 } ?? "~")
        return (fields + [text(cleaned.agent), text(cleaned.owner)]).joined(separator: "|")
    }

    private func randomLine(_ random: inout SeededRandom, _ source: inout LineSource, _ log: RequestLog) -> SentLine {
        func edge(_ edges: [Int64]) -> Int64 { edges.randomElement(using: &random) ?? 0 }
        func bytes(_ limit: Int) -> [UInt8] {
            // Neither a separator of the test's columns nor a line break.
            (0..<[0, 1, Int.random(in: 0...limit, using: &random), limit][Int.random(in: 0...3, using: &random)]).map {
                _ in
                let byte = UInt8.random(in: 0...255, using: &random)
                return [0x0A, 0x0D, 0x7C].contains(byte) ? 0x20 : byte
            }
        }
        func text(_ limit: Int) -> [UInt8] {
            let texts = [
                "", "a", "ä\u{301}", "👩‍👩‍👧", "a\0b", "\\N", "\\.", "'\"%", String(repeating: "ö", count: limit / 2),
            ]
            return Array((texts.randomElement(using: &random) ?? "").utf8)
        }
        let now = Timestamp.now.microseconds
        var line = source.next(at: Timestamp(microseconds: now - edge([0, 1, 999_999, 1_000_000])))
        line.surface = RequestSurface.allCases.randomElement(using: &random) ?? .gateway
        line.outcome = .allowed
        line.status = UInt16(edge([0, 100, 200, 499, 599, 32_767]))
        line.code =
            [nil, "key_unknown", String(repeating: "c", count: 64), "a\0ä"].randomElement(using: &random) ?? nil
        line.keyID = Bool.random(using: &random) ? nil : KeyID(high: random.next(), low: random.next())
        line.flags = RequestFlags(rawValue: UInt16(edge([0, 1, 63])))
        line.microseconds = edge([0, 1, .max, .min])
        line.upstreamMicroseconds = Bool.random(using: &random) ? nil : Int32(edge([0, 1, Int64(Int32.max)]))
        (line.bytesIn, line.bytesOut) = (edge([0, 1, .max]), edge([0, 1, .max]))
        line.upstream = UInt16(edge([0, 1, 2]))
        line.address =
            [
                nil, IPAddress("0.0.0.0"), IPAddress("255.255.255.255"), IPAddress("::"), IPAddress("2001:db8::ffff:1"),
                IPAddress("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ].randomElement(using: &random) ?? nil
        line.method = text(32)
        line.path = Bool.random(using: &random) ? bytes(1_024) : text(1_024)
        line.query = bytes(1_024)
        line.agent = bytes(32)
        line.owner = Bool.random(using: &random) ? text(1_600) : bytes(1_600)
        return line
    }

    @Test("lines with any values are stored as they were cleaned", arguments: [LogPrivacy.Queries.none, .full])
    func values(_ queries: LogPrivacy.Queries) async throws {
        try await LogFixture.with { fixture in
            let log = RequestLog(privacy: LogPrivacy(queries: queries))
            _ = (log.upstreams.number(of: "http://one:1"), log.upstreams.number(of: "http://zwei\0ä:2"))
            var (random, source) = (SeededRandom(state: 15), LineSource())
            var expected: [String] = []
            let lines = (0..<1_000).map { _ in randomLine(&random, &source, log) }
            for line in lines {
                expected.append(columns(line, log).replacing("zwei\0ä", with: "zweiä"))
                line.with { log.note($0) }
            }
            try await fixture.writing(log) {}
            let stored = try await fixture.sql(Self.columns).split(separator: "\n").map(String.init)
            #expect(stored.count == expected.count)
            for (line, wanted) in zip(stored.sorted(), expected.sorted()) where line != wanted {
                Issue.record("\(line)\n\(wanted)")
                break
            }
        }
    }

    @Test("missing partitions are made, and the line of the next midnight is in the partition of that day")
    func midnight() async throws {
        try await LogFixture.with { fixture in
            let log = RequestLog()
            let midnight = (Timestamp.now.microseconds / 86_400_000_000 + 1) * 86_400_000_000
            var source = LineSource()
            for offset: Int64 in [-1, 0] {
                source.next(at: Timestamp(microseconds: midnight + offset)).with { log.note($0) }
            }
            try await fixture.writing(log) {}
            let tables = try await fixture.sql("SELECT right(tableoid::regclass::text, 8) FROM request_log ORDER BY at")
            #expect(try await tables.split(separator: "\n").map(String.init) == fixture.days(0...1))
        }
    }

    @Test("lines of a clock that is days off are dropped, and a line tells their number")
    func clock() async throws {
        try await LogFixture.with { fixture in
            let log = RequestLog()
            let day = Duration.seconds(86_400)
            for offset in [-40, -3, 3, 40_000] {
                log.note(0..<5, prefix: "off", at: Timestamp.now.advanced(by: day * offset))
            }
            for offset in [-1, 0, 1] { log.note(0..<5, prefix: "on", at: Timestamp.now.advanced(by: day * offset)) }
            try await fixture.writing(log, retention: RequestLogRetention(days: 0)) {}
            #expect(try await fixture.count("path LIKE '/on%'") == 15)
            #expect(try await fixture.count("path LIKE '/off%'") == 0)
            let gap = try await fixture.sql(
                "SELECT sum(weight), max(status), max(outcome), count(key_id) FROM request_log WHERE code = 'log_gap'")
            #expect(gap == "20|0|4|0")
        }
    }

    @Test("pages that are older than the limit of age are not written")
    func old() async throws {
        try await LogFixture.with { fixture in
            try await fixture.addPartition(day: -3)
            let log = RequestLog()
            log.note(0..<5, at: Timestamp.now.advanced(by: .seconds(-3 * 86_400)))
            log.note(5..<9)
            try await fixture.writing(log, retention: RequestLogRetention(days: 2)) {}
            #expect(
                try await fixture.sql("SELECT code, sum(weight) FROM request_log GROUP BY code ORDER BY 1")
                    == "log_gap|5\n|4")
        }
    }

    @Test("a line that the database refuses is counted, and the others are written")
    func refused() async throws {
        try await LogFixture.with { fixture in
            _ = try await fixture.sql("ALTER TABLE request_log ADD CONSTRAINT c CHECK (path <> '/17')")
            let log = RequestLog()
            log.note(0..<30)
            try await fixture.writing(log) {}
            #expect(try await fixture.count("path <> ''") == 29)
            #expect(try await fixture.sql("SELECT sum(weight) FROM request_log WHERE code = 'log_gap'") == "1")
        }
    }

    @Test("several writers write each line once", arguments: [1, 4])
    func writers(_ count: Int) async throws {
        try await LogFixture.with { fixture in
            let log = RequestLog()
            try await fixture.writing(log, writers: count) {
                for part in 0..<15 {
                    log.note(
                        (part * 1_000)..<((part + 1) * 1_000),
                        at: Timestamp(microseconds: Timestamp.now.microseconds + Int64(part)))
                }
            }
            #expect(
                try await fixture.sql("SELECT count(*), count(DISTINCT path), sum(weight) FROM request_log")
                    == "15000|15000|15000")
        }
    }

    @Test("a role that only verifies keys writes to partitions that others made")
    func verifying() async throws {
        try await LogFixture.alone { fixture, server in
            let target = try PostgresTarget(try await server.admit(role: "keyward_app"))
            for statement in try RuntimeGrants.statements(for: "keyward_app", to: .verify) {
                _ = try await fixture.sql(statement)
            }
            try await fixture.tend()
            let log = RequestLog()
            log.note(0..<10)
            try await fixture.writing(log, as: target, tends: false) {}
            #expect(try await fixture.count() == 10)
            let connection = try await PostgresConnection.connect(to: target, logger: LogFixture.silent)
            #expect(try await VerificationSchema.missingForLog(on: connection) == [])
            _ = try await fixture.sql("REVOKE ALL ON request_log, request_hours FROM keyward_app")
            #expect(
                try await VerificationSchema.missingForLog(on: connection) == [
                    "SELECT on request_hours", "INSERT on request_hours", "UPDATE on request_hours",
                    "INSERT on request_log", "SELECT (at, id) on request_log",
                ])
            try await VerificationSchema.check(on: connection, recordsUse: true, allowsNewer: false)
            await connection.close()
        }
    }

    @Test("no token of a path, a query or a program's name reaches the database")
    func tokens() async throws {
        try await LogFixture.with { fixture in
            let log = RequestLog(privacy: LogPrivacy(queries: .full))
            var source = LineSource()
            let token = Token.generate().value
            for text in [token, "x/\(token)/y", token.replacing("_", with: "%5F"), "a=\(token)&b"] {
                var line = source.next(path: "/\(text)")
                (line.query, line.agent) = (Array(text.utf8), Array(text.utf8.prefix(64)))
                line.with { log.note($0) }
            }
            try await fixture.writing(log) {}
            #expect(try await fixture.count() == 4)
            let dump = try await Psql.tool("pg_dump", ["-d", fixture.connectionString])
            #expect(dump.contains("COPY public.request_log_") && !dump.contains(token.dropFirst(3).prefix(20)))
        }
    }
}
