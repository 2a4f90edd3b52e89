import Logging
import Synchronization

/// A transaction under way on one connection, which it has for itself. Usable until the body it was handed to returns.
public final class PostgresTransaction: PostgresExecutor {
    private let connection: PostgresConnection
    private let isOver = Atomic(false)

    init(_ connection: PostgresConnection) { self.connection = connection }

    func end() { isOver.store(true, ordering: .releasing) }

    /// Throws `.transactionEnded` once the transaction is over: nothing may run behind its COMMIT.
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
        _ sql: String, timeout: Duration? = nil, row: @escaping @Sendable (inout CopyRow) throws -> Void
    ) async throws(PostgresError) -> Int {
        try check()
        let deadline = Deadline(timeout ?? connection.settings.queryTimeout, renewing: timeout == nil)
        return try await connection.run(copy: sql, in: self, deadline: deadline, row: row)
    }
}

extension PostgresConnection {
    /// Runs `body` in a transaction that is committed if it returns and rolled back if it throws.
    ///
    /// The connection is the transaction's for the whole time: calls of others wait, so `body` has to use the handle it
    /// gets; asking the connection itself would wait for its own end until the timeout. If `body` swallowed an error of the
    /// server, nothing was committed and `25P02` is thrown. If the rollback fails the connection is closed.
    public func transaction<R: Sendable>(
        _ body: @Sendable (PostgresTransaction) async throws -> R
    ) async throws -> R {
        let deadline = Deadline(settings.queryTimeout)
        try await takeTurn(.ownership, deadline)
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
        // COMMIT of a failed transaction succeeds, as a ROLLBACK, and says so only in its tag.
        guard results.first?.commandStatus == "COMMIT" else {
            throw PostgresError(
                .server(sqlState: "25P02"), detail: "the transaction had failed before its COMMIT", sqlState: "25P02")
        }
    }

    private func rollBack() async {
        guard let session, !session.isIdle else { return }
        do throws(PostgresError) {
            let deadline = Deadline(.seconds(5), heedsCancellation: false)
            _ = try await run([PostgresStatement("ROLLBACK")], deadline: deadline)
        } catch {
            logger.debug("rollback failed, closing the database connection", metadata: ["error": "\(error)"])
            shutDown()
        }
        if self.session?.isIdle != true { shutDown() }
    }
}
