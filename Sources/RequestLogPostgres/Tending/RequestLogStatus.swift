public import LibPQ

/// The size of the log in the database, and what its limits will do.
public struct RequestLogStatus: Sendable {
    /// The partitions, by number, and their size with indexes in bytes.
    public let partitions: Int
    public let bytes: Int64
    /// True if the log has a partition for the current day.
    public let hasToday: Bool
    /// The lines and bytes of a day: the mean of the whole days, or else the current day so far, scaled to a day.
    public let linesPerDay: Int64
    public let bytesPerDay: Int64
    /// True if the role may run `request_log_tend`.
    public let mayTend: Bool

    /// Reads the state from the catalogues and statistics of PostgreSQL. The number of lines is an estimate. Returns
    /// nil if there is no log.
    public init?(on connection: PostgresConnection) async throws(PostgresError) {
        let result = try await connection.query(
            """
            WITH partitions AS (
                SELECT lines, lower, upper, pg_total_relation_size(oid) AS bytes FROM (\(LogPartition.query)) p
            ), days AS (
                SELECT bytes, lines, extract(epoch FROM least(upper, now()) - lower) / 86400 AS days, upper <= now() AS is_whole
                FROM partitions WHERE lower < now() AND lines > 0
            ), chosen AS (
                SELECT * FROM days WHERE is_whole OR NOT EXISTS (SELECT FROM days WHERE is_whole)
            )
            SELECT to_regclass('request_log') IS NOT NULL, (SELECT count(*) FROM partitions),
                (SELECT coalesce(sum(bytes), 0)::bigint FROM partitions),
                EXISTS (SELECT FROM partitions WHERE now() >= lower AND now() < upper),
                (SELECT coalesce(sum(lines) / nullif(sum(days), 0), 0)::bigint FROM chosen),
                (SELECT coalesce(sum(bytes) / nullif(sum(days), 0), 0)::bigint FROM chosen),
                coalesce(has_function_privilege(
                    to_regprocedure('request_log_tend(integer, integer, bigint)'), 'EXECUTE'), false)
            """)
        guard let row = result.rows.first, try row.bool(0) else { return nil }
        partitions = Int(try row.int64(1))
        bytes = try row.int64(2)
        hasToday = try row.bool(3)
        (linesPerDay, bytesPerDay) = (try row.int64(4), try row.int64(5))
        mayTend = try row.bool(6)
    }

    /// The days of lines that fit into the limits, and the limit that applies first.
    public enum Horizon: Sendable, Hashable {
        case unlimited
        case age(days: Int)
        /// The limit of size applies first. `left` is the number of days until it deletes lines, 0 if it does so now.
        case size(days: Double, left: Double)
    }

    /// Returns the limit that applies first if the following days are like the ones so far.
    public func horizon(_ retention: RequestLogRetention) -> Horizon {
        let limit = Double(retention.bytes)
        let age = retention.days > 0 ? Horizon.age(days: retention.days) : .unlimited
        guard retention.bytes > 0, bytesPerDay > 0 else { return age }
        let days = limit / Double(bytesPerDay)
        // Today's partition counts, which is not yet whole.
        if retention.days > 0, Double(retention.days + 1) <= days, bytes <= retention.bytes { return age }
        return .size(days: days, left: max(0, (limit - Double(bytes)) / Double(bytesPerDay)))
    }
}
