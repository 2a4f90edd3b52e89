import AuthKeys
import HTTPCredentials
import LibPQ
import RequestLog
import Synchronization

/// One attempt to write a batch in a transaction.
final class BatchTransaction: Sendable {
    /// The savepoint of a row.
    private static let savepoint = "keyward_row"

    /// The rows that the database refused because of their values.
    struct Refused: Sendable {
        var rows = 0
        var requests = 0
        /// The SQLSTATE of the last refusal.
        var state = ""
    }

    private struct Progress {
        var written = 0
        var refused = Refused()
        /// A row that the log has if the transaction was committed.
        var proof: LogBatch.LineKey?
    }

    private let rows: LogRows
    private let transactionID = Atomic<UInt64>(0)
    private let progress = Mutex(Progress())

    init(_ batch: LogBatch, _ names: LogNames, _ privacy: LogPrivacy) {
        rows = LogRows(batch, names, privacy)
    }

    /// The number of rows that the database accepted.
    var written: Int { progress.withLock { $0.written } }
    var refused: Refused { progress.withLock { $0.refused } }

    /// Writes all rows.
    /// - Parameter oneByOne: true to use a COPY for each row, and to omit the rows that the database refuses because of
    ///   their values.
    func write(on pool: PostgresPool, oneByOne: Bool) async throws {
        try await pool.transaction { transaction in
            try await self.begin(transaction)
            if oneByOne { return try await self.copyOneByOne(transaction) }
            let written = try await transaction.copyIn(CopyLine.statement, chunks: LateChunk { self.makeStream() })
            self.progress.withLock { $0.written = written }
        }
    }

    private func makeStream() -> [UInt8] {
        let (stream, first) = rows.stream()
        progress.withLock { $0.proof = first }
        return stream
    }

    private func copyOneByOne(_ transaction: PostgresTransaction) async throws {
        for row in rows.single() {
            try await transaction.execute(script: "SAVEPOINT \(Self.savepoint)")
            do throws(PostgresError) {
                let written = try await transaction.copyIn(CopyLine.statement, chunks: CollectionOfOne(row.stream))
                progress.withLock { progress in
                    progress.written += written
                    if progress.proof == nil { progress.proof = row.key }
                }
            } catch {
                guard error.concernsData else { throw error }
                progress.withLock { progress in
                    progress.refused.rows += 1
                    progress.refused.requests += row.weight
                    progress.refused.state = error.sqlState?.rawValue ?? ""
                }
                try await transaction.execute(script: "ROLLBACK TO SAVEPOINT \(Self.savepoint)")
            }
            try await transaction.execute(script: "RELEASE SAVEPOINT \(Self.savepoint)")
        }
    }

    /// Returns true if the transaction was committed, although its result was lost. Waits until it has ended. Returns
    /// false if no row was accepted, because nothing can be written twice then.
    func isCommitted(on pool: PostgresPool) async throws(PostgresError) -> Bool {
        while try await isRunning(on: pool) {
            do {
                try await Task.sleep(for: .milliseconds(100))
            } catch {
                return false
            }
        }
        guard let proof = progress.withLock({ $0.proof }) else { return false }
        // The status of the transaction does not suffice: after a crash of PostgreSQL, another transaction may have its
        // number.
        return try await !pool.query(
            "SELECT FROM request_log WHERE at = $1 AND id = $2 LIMIT 1",
            [
                .timestamp(microsecondsSinceUnixEpoch: proof.at.microseconds),
                .uuid(PostgresUUID(high: proof.id.high, low: proof.id.low)),
            ]
        ).rows.isEmpty
    }

    private func begin(_ transaction: PostgresTransaction) async throws {
        let result = try await transaction.query(
            "SELECT pg_current_xact_id()")
        if let row = result.rows.first { transactionID.store(try row.xid8(0), ordering: .relaxed) }
    }

    private func isRunning(on pool: PostgresPool) async throws(PostgresError) -> Bool {
        let transactionID = transactionID.load(ordering: .relaxed)
        guard transactionID > 0 else { return false }
        do throws(PostgresError) {
            let result = try await pool.query("SELECT pg_xact_status($1) = 'in progress'", [.xid8(transactionID)])
            return try result.rows.first?.bool(0) ?? false
        } catch {
            // After a crash or a failover, the number may be in the future, or NULL if it is too old.
            if error.isUnavailable || error.kind == .cancelled || error.kind == .poolClosed { throw error }
            return false
        }
    }
}

extension PostgresError {
    /// True if the database refuses a row because of its values (class 22, data exception, and class 23, integrity
    /// constraint violation).
    var concernsData: Bool {
        guard case .server(let state) = kind, !lacksPartition else { return false }
        return state.rawValue.hasPrefix("22") || state.rawValue.hasPrefix("23")
    }

    /// True if the table has no partition for a row. A violated CHECK constraint has a name.
    var lacksPartition: Bool { sqlState == .checkViolation && constraintName == nil }
}
