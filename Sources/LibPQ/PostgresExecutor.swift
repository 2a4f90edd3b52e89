/// What runs statements: a connection, a transaction on one, or a pool of them.
public protocol PostgresExecutor: Sendable {
    /// Runs one statement, prepared once per connection, with parameters and results in binary.
    ///
    /// `timeout` bounds the whole call, the wait for its turn included; nil takes the connection's `queryTimeout`. A
    /// cancelled task, or a passed timeout, cancels the statement on the server; the answer then comes within half a
    /// second more. If the statement was done all the same, its result is returned.
    func query(
        _ sql: String, _ parameters: [PostgresParameter], timeout: Duration?
    ) async throws(PostgresError) -> PostgresResult

    /// Runs a script of any number of statements, without parameters or results, in one round trip; all of it is one
    /// transaction unless it says otherwise (PostgreSQL, "Multiple Statements in a Simple Query").
    func execute(script: String, timeout: Duration?) async throws(PostgresError)

    /// Runs statements without waiting for each other's answer (libpq, "Pipeline Mode"), all in one transaction: the first
    /// error undoes the whole and is what is thrown. The results come in the order of the statements.
    func pipeline(
        _ statements: [PostgresStatement], timeout: Duration?
    ) async throws(PostgresError) -> [PostgresResult]

    /// Runs `COPY (…) TO STDOUT (FORMAT binary)` and hands over each row as it comes; returns their number.
    ///
    /// `row` runs on the connection's own queue and must not block. If it throws, the copy is cancelled and the error
    /// thrown: a `PostgresError` as it is, any other as `.rowHandlerFailed`. Without a `timeout` the connection's
    /// `queryTimeout` bounds the wait for each part rather than the whole.
    func copyOut(
        _ sql: String, timeout: Duration?, row: @escaping @Sendable (inout CopyRow) throws -> Void
    ) async throws(PostgresError) -> Int
}

extension PostgresExecutor {
    /// As `query(_:_:timeout:)` with the connection's `queryTimeout`.
    public func query(
        _ sql: String, _ parameters: [PostgresParameter] = []
    ) async throws(PostgresError) -> PostgresResult {
        try await query(sql, parameters, timeout: nil)
    }

    /// As `execute(script:timeout:)` with the connection's `queryTimeout`.
    public func execute(script: String) async throws(PostgresError) {
        try await execute(script: script, timeout: nil)
    }

    /// As `pipeline(_:timeout:)` with the connection's `queryTimeout`.
    public func pipeline(_ statements: [PostgresStatement]) async throws(PostgresError) -> [PostgresResult] {
        try await pipeline(statements, timeout: nil)
    }

    /// As `copyOut(_:timeout:row:)` with the connection's `queryTimeout`.
    public func copyOut(
        _ sql: String, row: @escaping @Sendable (inout CopyRow) throws -> Void
    ) async throws(PostgresError) -> Int {
        try await copyOut(sql, timeout: nil, row: row)
    }
}
