import Logging
import Synchronization

/// An open transaction with exclusive use of one connection. It is usable until the body that received it returns.
public final class PostgresTransaction: PostgresExecutor {
    private let connection: PostgresConnection
    private let isOver = Atomic(false)

    init(_ connection: PostgresConnection) { self.connection = connection }

    func end() { isOver.store(true, ordering: .releasing) }

    /// Throws `.transactionEnded` if the transaction is over: no statement may run after its COMMIT.
    func check() throws(PostgresError) {
        if isOver.load(ordering: .acquiring) { throw PostgresError(.transactionEnded, nothingWasSent: true) }
    }

    public func query(
        _ sql: String, _ parameters: [PostgresParameter] = [], timeout: Duration? = nil
    ) async throws(PostgresError) -> PostgresResult {
        let results = try await pipeline([PostgresStatement(sql, parameters)], timeout: timeout)
        guard let result = results.first else { throw PostgresError(.connectionLost, detail: "no result") }
        return result
    }

    public func pipeline(
        _ statements: [PostgresStatement], timeout: Duration? = nil
    ) async throws(PostgresError) -> [PostgresResult] {
        try check()
        let deadline = Deadline(timeout ?? connection.settings.queryTimeout)
        return try await connection.run(statements, in: self, deadline: deadline)
    }

    public func execute(script: String, timeout: Duration? = nil) async throws(PostgresError) {
        try check()
        let deadline = Deadline(timeout ?? connection.settings.queryTimeout)
        try await connection.run(script: script, in: self, deadline: deadline)
    }

    public func copyOut(
        _ sql: String, timeout: Duration? = nil, row: @escaping @Sendable (inout RowCursor) throws -> Void
    ) async throws(PostgresError) -> Int {
        try check()
        let deadline = Deadline(timeout ?? connection.settings.queryTimeout, renewing: timeout == nil)
        return try await connection.run(copy: sql, in: self, deadline: deadline, row: row)
    }

    public func copyIn(
        _ sql: String, timeout: Duration? = nil, chunks: some Sequence<[UInt8]> & Sendable
    ) async throws(PostgresError) -> Int {
        try check()
        let deadline = Deadline(timeout ?? connection.settings.queryTimeout, renewing: timeout == nil)
        return try await connection.run(copy: sql, from: chunks, in: self, deadline: deadline)
    }
}

extension PostgresConnection {
    /// Runs `body` in a transaction that is committed if it returns and rolled back if it throws.
    ///
    /// The transaction has exclusive use of the connection, and other calls wait. `body` therefore has to use the
    /// handle that it receives: a call of the connection itself would wait until the timeout. If `body` ignored an
    /// error of the server, nothing is committed and `25P02` is thrown. If the rollback fails, the connection is
    /// closed.
    public func transaction<R: Sendable>(
        _ body: @Sendable (PostgresTransaction) async throws -> R
    ) async throws -> R {
        let deadline = Deadline(settings.queryTimeout)
        try await acquireTurn(.ownership, deadline)
        defer { endTurn(.ownership) }
        let transaction = PostgresTransaction(self)
        do {
            _ = try await run([PostgresStatement("BEGIN")], deadline: deadline)
            let value = try await body(transaction)
            transaction.end()
            try await commit()
            return value
        } catch {
            transaction.end()
            await rollBack()
            throw error
        }
    }

    private func commit() async throws(PostgresError) {
        let results = try await run([PostgresStatement("COMMIT")], deadline: Deadline(settings.queryTimeout))
        // COMMIT of a failed transaction succeeds as a ROLLBACK; only its command tag shows it.
        guard results.first?.commandStatus == "COMMIT" else {
            throw PostgresError(
                .server(sqlState: .inFailedSQLTransaction), detail: "the transaction had failed before its COMMIT",
                sqlState: .inFailedSQLTransaction)
        }
    }

    private func rollBack() async {
        guard let session, !session.isIdle else { return }
        do throws(PostgresError) {
            let deadline = Deadline(.seconds(5), heedsCancellation: false)
            _ = try await run([PostgresStatement("ROLLBACK")], deadline: deadline)
        } catch {
            logger.debug("the rollback failed, and the database connection is closed", metadata: ["error": "\(error)"])
            shutDown()
        }
        if self.session?.isIdle != true { shutDown() }
    }
}
