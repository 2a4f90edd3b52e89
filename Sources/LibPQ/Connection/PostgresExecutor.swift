/// A type that runs statements: a connection, a transaction on one, or a pool of them.
public protocol PostgresExecutor: Sendable {
    /// Runs one statement, prepared once per connection, with parameters and results in binary.
    ///
    /// `timeout` limits the whole call, including the wait for its turn; nil means the connection's `queryTimeout`. A
    /// cancelled task, or a passed timeout, cancels the statement on the server. The call then ends within another half
    /// second. If the statement completed nevertheless, its result is returned.
    func query(
        _ sql: String, _ parameters: [PostgresParameter], timeout: Duration?
    ) async throws(PostgresError) -> PostgresResult

    /// Runs a script of any number of statements, without parameters or results, in one round trip. All of it is one
    /// transaction, unless the script contains transaction commands (PostgreSQL, "Multiple Statements in a Simple
    /// Query").
    func execute(script: String, timeout: Duration?) async throws(PostgresError)

    /// Runs statements without waiting for each other's results (libpq, "Pipeline Mode"), all in one transaction. The
    /// first error rolls back the whole pipeline and is thrown. The results are in the order of the statements.
    func pipeline(
        _ statements: [PostgresStatement], timeout: Duration?
    ) async throws(PostgresError) -> [PostgresResult]

    /// Runs `COPY (…) TO STDOUT (FORMAT binary)` and passes each row to `row` on arrival; returns the number of rows.
    ///
    /// `row` runs on the connection's own queue and must not block. If it throws, the copy is cancelled and the error
    /// is thrown: a `PostgresError` as it is, any other as `.rowHandlerFailed`. Without a `timeout`, the connection's
    /// `queryTimeout` limits the wait for each part instead of the whole.
    func copyOut(
        _ sql: String, timeout: Duration?, row: @escaping @Sendable (inout RowCursor) throws -> Void
    ) async throws(PostgresError) -> Int

    /// Runs `COPY … FROM STDIN` with the bytes of `chunks`, and returns the number of rows. `CopyWriter` writes such
    /// bytes for `(FORMAT binary)`.
    ///
    /// A chunk is taken when the socket has accepted the one before it. A cancelled task, or a passed timeout, makes
    /// the server discard all rows. Without a `timeout`, the connection's `queryTimeout` limits the wait for each part
    /// instead of the whole.
    func copyIn(
        _ sql: String, timeout: Duration?, chunks: some Sequence<[UInt8]> & Sendable
    ) async throws(PostgresError) -> Int
}

extension PostgresExecutor {
    /// Calls `query(_:_:timeout:)` with the connection's `queryTimeout`.
    public func query(
        _ sql: String, _ parameters: [PostgresParameter] = []
    ) async throws(PostgresError) -> PostgresResult {
        try await query(sql, parameters, timeout: nil)
    }

    /// Calls `pipeline(_:timeout:)` with the connection's `queryTimeout`.
    public func pipeline(_ statements: [PostgresStatement]) async throws(PostgresError) -> [PostgresResult] {
        try await pipeline(statements, timeout: nil)
    }
}
