import AuthKeys
import AuthKeysPostgres
import KeyAdministration
import LibPQ
import RequestLog

/// The statements of statistics about requests.
enum TrafficSQL {
    /// The settings of statistics, until the end of the transaction: a timeout, and a plan for the actual values.
    static func planning(timeout: Duration) -> PostgresStatement {
        PostgresStatement(
            """
            SELECT set_config('statement_timeout', $1, true), set_config('plan_cache_mode', 'force_custom_plan', true),
                set_config('jit', 'off', true)
            """,
            [.text("\(timeout / .milliseconds(1))ms")])
    }

    /// Returns the points of all requests: rows of time, outcome and sums.
    static func points(_ query: TrafficQuery) -> PostgresStatement {
        var bindings = Bindings()
        let period = period("minute", query, &bindings)
        return PostgresStatement(
            """
            SELECT \(start("minute", query.step)) AS at, outcome::int8, sum(requests)::int8, \(sums) FROM request_minutes
            WHERE \(period) GROUP BY 1, 2 ORDER BY 1
            """,
            bindings.parameters)
    }

    /// Returns the most frequent parts of all requests: rows of entry point, outcome, code and sums.
    static func parts(_ query: TrafficQuery) -> PostgresStatement {
        var bindings = Bindings()
        let period = period("minute", query, &bindings)
        return PostgresStatement(
            """
            SELECT surface::int8, outcome::int8, code, sum(requests)::int8, \(sums) FROM request_minutes
            WHERE \(period) GROUP BY surface, outcome, code
            ORDER BY sum(requests) DESC, surface, outcome, code LIMIT \(TrafficQuery.partsLimit)
            """,
            bindings.parameters)
    }

    /// Returns the points of keys: rows of time, requests by outcome, and sums. Minutes are those of the lines of the
    /// request log, and hours those of the roll-up.
    static func pointsOfKeys(_ query: TrafficQuery) -> PostgresStatement {
        var bindings = Bindings()
        let source = query.isAboutMinutesOfKey ? lines : hours
        var conditions = [period(source.time, query, &bindings)]
        if let keyID = query.keyID { conditions.append("h.key_id = \(bindings.add(.uuid(PostgresUUID(keyID))))") }
        let ofRows = conditions.count
        if let owner = query.owner {
            conditions.append(OwnerSQL.matches("k.owner", owner) { bindings.add($0) })
        }
        if let name = query.labelName {
            let name = bindings.add(.text(name))
            if let value = query.labelValue {
                conditions.append("k.labels @> jsonb_build_object(\(name)::text, \(bindings.add(.text(value)))::text)")
            } else {
                conditions.append("(k.labels || '{}') ? \(name)")
            }
        }
        let keys = conditions.count > ofRows ? "JOIN auth_keys k ON k.id = h.key_id" : ""
        return PostgresStatement(
            """
            SELECT \(start(source.time, query.step)), \(source.sums) FROM \(source.table) h \(keys)
            WHERE \(conditions.joined(separator: " AND ")) GROUP BY 1 ORDER BY 1
            """,
            bindings.parameters)
    }

    /// A table with the requests of keys.
    private struct Source {
        let table: String
        /// The column of the time.
        let time: String
        /// The requests by outcome, and the sums of bytes, durations and their buckets.
        let sums: String
    }

    private static let hours = Source(
        table: "request_hours", time: "hour",
        sums: (RequestOutcome.allCases.map { "sum(\($0.name))::int8" } + [sums]).joined(separator: ", "))

    /// A line stands for as many requests as its weight, and has the time at which they began.
    private static let lines: Source = {
        func count(_ condition: String) -> String { "coalesce(sum(weight) FILTER (WHERE \(condition)), 0)::int8" }
        let outcomes = RequestOutcome.allCases.map { count("outcome = \($0.rawValue)") }
        let sums = ["bytes_in", "bytes_out", "micros"].map { "sum(\($0) * weight)::int8" }
        let bounds = DurationBuckets.bounds
        let buckets = (0..<DurationBuckets.count).map { bucket in
            let lower = bucket > 0 ? "micros > \(bounds[bucket - 1])" : "true"
            return count(bucket < bounds.count ? "\(lower) AND micros <= \(bounds[bucket])" : lower)
        }
        return Source(table: "request_log", time: "at", sums: (outcomes + sums + buckets).joined(separator: ", "))
    }()

    /// The sums of bytes, durations and their buckets.
    private static let sums: String = {
        let buckets = (1...DurationBuckets.count).map { "durations[\($0)]" }
        return (["bytes_in", "bytes_out", "micros"] + buckets).map { "sum(\($0))::int8" }.joined(separator: ", ")
    }()

    private static func start(_ column: String, _ step: TrafficQuery.Step) -> String {
        step.rawValue == column ? column : "date_trunc('\(step.rawValue)', \(column), 'UTC')"
    }

    private static func period(_ column: String, _ query: TrafficQuery, _ bindings: inout Bindings) -> String {
        "\(column) >= \(bindings.add(query.since)) AND \(column) < \(bindings.add(query.until))"
    }
}
