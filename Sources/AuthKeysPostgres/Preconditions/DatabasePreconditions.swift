public import LibPQ

/// Checks that Keyward can work with a database, before it writes anything.
public enum DatabasePreconditions {
    /// The first version with `xid8` transaction ids, which the change feed reads.
    static let oldestMajor = 13

    /// The number of times that both sessions are queried for their process. A pooler that also serves other clients
    /// may use the same session once by chance.
    private static let rounds = 3

    /// Settings with which the checks work behind any pooler: neither statements nor settings remain in the server's
    /// session.
    public static let connectionSettings = ConnectionSettings(preparedStatements: 0, isPooled: true)

    /// Returns the problems of the server and the database behind the connection.
    public static func problems(on connection: PostgresConnection) async throws -> [DatabaseProblem] {
        let result = try await connection.query(
            """
            SELECT current_setting('server_version_num')::int4, current_setting('server_version'),
                current_setting('server_encoding'), pg_is_in_recovery(), current_setting('transaction_read_only') = 'on',
                current_schema() IS NULL, current_setting('search_path'), current_user::text, current_database()::text
            """)
        guard let row = result.rows.first else { return [] }
        var problems: [DatabaseProblem] = []
        if try row.int32(0) < Int32(oldestMajor) * 10_000 { problems.append(.version(try row.text(1))) }
        if try row.text(2) != "UTF8" { problems.append(.encoding(try row.text(2), database: try row.text(8))) }
        if try row.bool(3) {
            problems.append(.standby)
        } else if try row.bool(4) {
            problems.append(.readOnly)
        }
        if try row.bool(5) { problems.append(.noSchema(searchPath: try row.text(6), role: try row.text(7))) }
        return problems
    }

    /// Returns true if each of two connections to the same address keeps its own server process. A pooler in
    /// transaction or statement mode serves both from one process, or one from several.
    public static func keepSessions(
        _ first: PostgresConnection, _ second: PostgresConnection
    ) async throws -> Bool {
        let (one, two) = (try await process(of: first), try await process(of: second))
        if one == two { return false }
        for _ in 1..<rounds {
            guard try await process(of: second) == two, try await process(of: first) == one else { return false }
        }
        return true
    }

    private static func process(of connection: PostgresConnection) async throws -> Int32 {
        try await connection.query("SELECT pg_backend_pid()").rows.first?.int32(0) ?? 0
    }

    /// Returns the problems of a pooled connection, compared with a direct one to the same database.
    public static func problems(
        onPooled pooled: PostgresConnection, direct: PostgresConnection
    ) async throws -> [DatabaseProblem] {
        var problems = try await Self.problems(on: pooled)
        if try await identity(on: pooled) != identity(on: direct) { problems.append(.otherDatabase) }
        do {
            try await pooled.transaction { _ = try await $0.query("SELECT 1") }
        } catch let error as PostgresError where error.sqlState == .protocolViolation || error.kind == .connectionLost {
            // PgBouncer in statement mode refuses BEGIN with 08P01 and closes the connection. The close may arrive
            // before the error.
            problems.append(.transactionsRefused)
        }
        return problems
    }

    /// Returns the start time of the server and the id of the database.
    private static func identity(on connection: PostgresConnection) async throws -> String {
        try await connection.query(
            """
            SELECT pg_postmaster_start_time()::text || ' ' || oid::text FROM pg_database
            WHERE datname = current_database()
            """
        ).rows.first?.text(0) ?? ""
    }
}
