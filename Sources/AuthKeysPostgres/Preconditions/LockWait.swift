public import LibPQ

/// A session of Keyward that waits for a lock, and a session that holds this lock or waits for it earlier.
public struct LockWait: Sendable, Equatable {
    /// The table, or the type of the locked object if it is not a table.
    public let object: String
    /// The requested lock mode (PostgreSQL manual, "Explicit Locking").
    public let mode: String
    /// The server process of the other session, for `pg_terminate_backend`; 0 for a prepared transaction.
    public let holder: Int32
    /// The other session's role, application and state; empty if this role may not see them.
    public let role: String
    public let application: String
    public let state: String
    /// The age of its transaction in seconds; nil if this role may not see it.
    public let seconds: Int64?

    /// Finds the waiting sessions of the connection's role and `application_name` in its database. Statements are not
    /// read, because they may contain secrets.
    public static func all(on connection: PostgresConnection) async throws(PostgresError) -> [LockWait] {
        try await connection.query(
            """
            SELECT coalesce(l.relation::regclass::text, l.locktype), l.mode, b.pid, coalesce(h.usename::text, ''),
                coalesce(h.application_name, ''), coalesce(h.state, ''),
                extract(epoch FROM clock_timestamp() - h.xact_start)::int8
            FROM pg_stat_activity w
            JOIN pg_locks l ON l.pid = w.pid AND NOT l.granted
            CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS b (pid)
            LEFT JOIN pg_stat_activity h ON h.pid = b.pid
            WHERE w.datname = current_database() AND w.usename = current_user
                AND w.application_name = current_setting('application_name')
            ORDER BY h.xact_start NULLS LAST, b.pid LIMIT 5
            """
        ).rows.map { row throws(PostgresError) in try row.read(LockWait.init(row:)) }
    }
}

extension LockWait {
    private init(row: inout RowCursor) throws(PostgresError) {
        self.init(
            object: try row.nextText(), mode: try row.nextText(), holder: try row.nextInt32(),
            role: try row.nextText(), application: try row.nextText(), state: try row.nextText(),
            seconds: try row.nextOptionalInt64())
    }
}
