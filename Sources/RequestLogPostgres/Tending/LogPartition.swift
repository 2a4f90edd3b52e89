/// The partitions of the log, as the catalogues of PostgreSQL describe them.
enum LogPartition {
    /// Returns a row for each partition: its number, an estimate of its lines, and its bounds. They are null for a
    /// partition without a lower or an upper bound. Without a log there is no row.
    static let query = """
        SELECT c.oid, greatest(c.reltuples::bigint, pg_stat_get_live_tuples(c.oid), 0) AS lines,
            b.texts[1]::timestamptz AS lower, b.texts[2]::timestamptz AS upper
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        CROSS JOIN LATERAL (SELECT regexp_match(
            pg_get_expr(c.relpartbound, c.oid), $re$^FOR VALUES FROM \\('([^']+)'\\) TO \\('([^']+)'\\)$re$) AS texts) b
        WHERE i.inhparent = to_regclass('request_log')
        """
}
