import AuthKeys
import HTTPCredentials
import KeyAdministration
import KeyAdministrationPostgres
import RequestLog
import TestSupport

/// Lines of the request log, in partitions of a day each.
struct RequestLogFixture: Sendable {
    static let day: Int64 = 86_400_000_000
    static let owners = [nil, "acme", "acme/a", "acme/a/b", "acme/ab", "acme2", "other"]
    static let instances = ["gw-1", "gw-2"]

    let store: StoreFixture
    /// The start of the current day.
    let today: Timestamp
    /// Keys with the owners `acme/a`, `acme`, `other` and nil; the last one does not exist any more.
    let keys: [(id: KeyID, name: String?, owner: String?)]

    /// Creates partitions of the current day, the day after, and some days before.
    static func make(_ store: StoreFixture, days: Int = 3) async throws -> RequestLogFixture {
        let now = Timestamp.now.microseconds
        let today = Timestamp(microseconds: now - now % day)
        for number in -days...1 {
            let start = today.advanced(by: .seconds(number * 86_400))
            try await store.sql(
                """
                CREATE TABLE request_log_d\(number + days) PARTITION OF request_log
                FOR VALUES FROM ('\(start)') TO ('\(start.advanced(by: .seconds(86_400)))')
                """)
        }
        let names = instances.map { "('instance', '\($0)')" } + ["('upstream', 'http://up')", "('upstream', 'gw-1')"]
        try await store.sql("INSERT INTO request_log_names (kind, name) VALUES \(names.joined(separator: ", "))")
        var keys: [(id: KeyID, name: String?, owner: String?)] = []
        for (number, owner) in ["acme/a", "acme", "other", nil].enumerated() {
            let id = KeyID.generate()
            keys.append((id, "key \(number)", owner))
            try await store.sql(
                """
                INSERT INTO auth_keys (id, name, owner)
                VALUES ('\(id)', 'key \(number)', \(owner.map { "'\($0)'" } ?? "NULL"))
                """)
        }
        keys.append((.generate(), nil, "acme"))
        return RequestLogFixture(store: store, today: today, keys: keys)
    }

    /// Returns a random line at a time.
    func line(at: Timestamp, _ random: inout SeededRandom) -> LoggedRequest {
        func pick<Value>(_ values: [Value]) -> Value { values[Int.random(in: 0..<values.count, using: &random)] }
        let key = Bool.random(using: &random) ? pick(keys) : nil
        let status = pick([200, 200, 200, 201, 302, 400, 401, 403, 404, 429, 429, 500, 502, 499, 0] as [Int16])
        let outcome: RequestOutcome = pick(RequestOutcome.allCases)
        var line = LoggedRequest(
            at: at, id: RequestID(at: at, random: (random.next(), random.next())),
            method: pick(["GET", "POST", "DELETE"]),
            path: pick(["/", "/v1", "/v1/reports/7", "/v1/reports/8?", "/v2/ä_%", "/v2/\\x", "*"]), status: status,
            outcome: outcome, surface: pick(RequestSurface.allCases))
        line.keyID = key?.id
        line.keyName = key?.name
        line.owner = pick(Self.owners)
        line.query = pick([nil, "a=…"])
        line.code = pick([nil, nil, "rate_limited", "key_expired"])
        line.microseconds = Int64.random(in: 0...3_000_000, using: &random)
        line.upstreamMicroseconds = pick([nil, 17])
        line.bytesIn = Int64.random(in: 0...9, using: &random)
        line.bytesOut = Int64.random(in: 0...(1 << 40), using: &random)
        line.address = pick([nil, "192.0.2.7", "192.0.2.8", "198.51.100.1", "2001:db8::1", "2001:db8:1::1"])
        line.agent = pick([nil, "curl"])
        line.upstream = pick([nil, "http://up"])
        line.instance = pick(Self.instances)
        line.flags = pick([[], [.http2, .tls], [.redacted, .cut]])
        line.weight = pick([1, 1, 100])
        return line
    }

    /// Returns lines of the last days, many of them at the same times.
    func lines(_ count: Int, days: Int64 = 3, _ random: inout SeededRandom) -> [LoggedRequest] {
        let now = Timestamp.now.microseconds
        var at = now
        return (0..<count).map { number in
            if number % 3 != 0 {
                // Half of the lines are in the last minutes.
                let age = Int64.random(in: 0..<(number % 2 == 0 ? 300_000_000 : days * Self.day), using: &random)
                at = now - age
            }
            return line(at: Timestamp(microseconds: at), &random)
        }
    }

    func insert(_ lines: [LoggedRequest]) async throws {
        func text(_ value: String?) -> String {
            value.map { "'\($0.replacing("'", with: "''"))'" } ?? "NULL"
        }
        for start in stride(from: 0, to: lines.count, by: 500) {
            let rows = lines[start..<min(start + 500, lines.count)].map { line in
                """
                ('\(line.at)', \(line.bytesIn), \(line.bytesOut), \(line.microseconds), '\(line.id)', \
                \(text(line.keyID?.description)), \(line.upstreamMicroseconds.map(String.init) ?? "NULL"), \(line.weight), \
                \(line.instance == "gw-1" ? 1 : 2), \(line.upstream == nil ? "NULL" : "3"), \(line.status), \
                \(line.surface?.rawValue ?? 99), \(line.outcome?.rawValue ?? 99), \(line.flags.rawValue), \(text(line.method)), \
                \(text(line.path)), \(text(line.query)), \(text(line.code)), \(text(line.address)), \(text(line.agent)), \
                \(text(line.owner)))
                """
            }
            try await store.sql(
                """
                INSERT INTO request_log (at, bytes_in, bytes_out, micros, id, key_id, upstream_micros, weight, instance, upstream,
                    status, surface, outcome, flags, method, path, query, code, address, agent, owner)
                VALUES \(rows.joined(separator: ",\n"))
                """)
        }
    }

    /// The filters that a line meets, each alone.
    static let filters: [(name: String, set: @Sendable (inout RequestQuery, LoggedRequest) -> Void)] = [
        ("key_id", { $0.keyID = $1.keyID }), ("request_id", { $0.requestID = $1.id }),
        ("status", { $0.status = StatusRange(String($1.status)) }),
        ("status class", { $0.status = StatusRange("\(max(1, $1.status / 100))xx") }),
        ("outcome", { $0.outcome = $1.outcome }), ("surface", { $0.surface = $1.surface }),
        ("code", { $0.code = $1.code }), ("method", { $0.method = $1.method }),
        ("path", { $0.pathPrefix = String($1.path.prefix(6)) }),
        ("address", { $0.address = $1.address.flatMap { IPNetwork($0) } }),
        (
            "network",
            {
                let isV6 = $1.address?.contains(":") == true
                $0.address = $1.address == nil ? nil : IPNetwork(isV6 ? "2001:db8::/32" : "192.0.2.0/24")
            }
        ),
        ("min_ms", { $0.minimumMilliseconds = $1.microseconds / 1_000 }),
        ("instance", { $0.instance = $1.instance }),
        ("owner", { $0.owner = $1.owner.map { OwnerFilter($0) } }),
        ("owners", { $0.owner = $1.owner.map { OwnerFilter($0, includesBelow: true) } }),
        ("since", { $0.since = $1.at }), ("until", { $0.until = $1.at }),
    ]

    /// Returns the lines of all pages, and the number of pages.
    func pages(
        _ query: RequestQuery, in scope: OwnerScope = .all, between: (Int) async throws -> Void = { _ in }
    ) async throws -> [LoggedRequest] {
        var query = query
        var lines: [LoggedRequest] = []
        var count = 0
        while true {
            let page = try await store.store.search(query, in: scope, budget: .seconds(20))
            lines += page.lines
            guard let next = page.next else { return lines }
            query.after = next
            count += 1
            try await between(count)
        }
    }
}
