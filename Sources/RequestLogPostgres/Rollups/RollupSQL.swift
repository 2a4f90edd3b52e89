import AuthKeys
import RequestLog

/// The statements that write roll-ups.
enum RollupSQL {
    /// Fails if the database is incomplete: a row written in the middle of a restore would conflict with the restored
    /// one.
    static let requireWhole = "SELECT require_whole_database('auth_keys'::regclass)"

    /// Deletes the numbers of processes that ended long ago.
    static let forgetWriters = "DELETE FROM request_rollup_writers WHERE written_at < now() - interval '400 days'"

    /// Adds minutes, unless the batch `$2` of the writer `$1` was written before.
    static let addMinutes = """
        WITH \(turn)
        INSERT INTO request_minutes AS stored
            (minute, instance, surface, outcome, code, requests, bytes_in, bytes_out, micros, durations)
        SELECT t.minute, $3, t.surface::int2, t.outcome::int2, t.code, t.requests, t.bytes_in, t.bytes_out, t.micros,
            \(durations("$12"))
        FROM turn CROSS JOIN
            unnest($4::timestamptz[], $5::int8[], $6::int8[], $7::text[], $8::int8[], $9::int8[], $10::int8[], $11::int8[])
            WITH ORDINALITY AS t (minute, surface, outcome, code, requests, bytes_in, bytes_out, micros, number)
        ORDER BY t.minute, t.surface, t.outcome, t.code
        ON CONFLICT (minute, instance, surface, outcome, code) DO UPDATE SET
            \(sums(["requests", "bytes_in", "bytes_out", "micros"])), \(sumOfDurations)
        """

    /// Adds hours, unless the batch `$2` of the writer `$1` was written before. Rows are locked in the order of key and
    /// hour.
    static let addHours = """
        WITH \(turn)
        INSERT INTO request_hours AS stored
            (key_id, hour, allowed, denied, limited, failed, terminated, bytes_in, bytes_out, micros, durations)
        SELECT t.key_id, t.hour, t.allowed, t.denied, t.limited, t.failed, t.terminated, t.bytes_in, t.bytes_out,
            t.micros, \(durations("$13"))
        FROM turn CROSS JOIN
            unnest($3::uuid[], $4::timestamptz[], $5::int8[], $6::int8[], $7::int8[], $8::int8[], $9::int8[], $10::int8[],
                $11::int8[], $12::int8[])
            WITH ORDINALITY AS t
                (key_id, hour, allowed, denied, limited, failed, terminated, bytes_in, bytes_out, micros, number)
        ORDER BY t.key_id, t.hour
        ON CONFLICT (key_id, hour) DO UPDATE SET
            \(sums(["allowed", "denied", "limited", "failed", "terminated", "bytes_in", "bytes_out", "micros"])),
            \(sumOfDurations)
        """

    /// Has one row if the batch was not written before. Another attempt that is still running at the server holds the
    /// lock of the row, so the result counts only after the end of that attempt. If this attempt comes first, that one
    /// has no effect.
    private static let turn = """
        turn AS (
            INSERT INTO request_rollup_writers AS w (writer, batch, written_at) VALUES ($1, $2, now())
            ON CONFLICT (writer) DO UPDATE SET batch = excluded.batch, written_at = excluded.written_at
            WHERE w.batch < excluded.batch RETURNING writer
        )
        """

    /// Returns the durations of the row `t`: a slice of one array that has those of all rows.
    private static func durations(_ all: String) -> String {
        let count = DurationBuckets.count
        return "(\(all)::int8[])[(t.number - 1) * \(count) + 1 : t.number * \(count)]"
    }

    private static func sums(_ columns: [String]) -> String {
        columns.map { "\($0) = stored.\($0) + excluded.\($0)" }.joined(separator: ", ")
    }

    private static var sumOfDurations: String {
        let terms = (1...DurationBuckets.count).map { "stored.durations[\($0)] + excluded.durations[\($0)]" }
        return "durations = ARRAY[\(terms.joined(separator: ", "))]"
    }
}
