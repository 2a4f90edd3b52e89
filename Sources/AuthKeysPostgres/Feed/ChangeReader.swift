import AuthKeys
import LibPQ
import Synchronization

/// A reader of the change feed that uses COPY, so that a full load of millions of keys streams through bounded memory.
enum ChangeReader {
    /// The result of a read so far. Rows arrive one at a time, on the connection's executor.
    private final class Progress: Sendable {
        struct State {
            var reading: FeedReading?
            var count = 0
            var skipped = 0
        }
        let state = Mutex(State())
    }

    /// - Parameters:
    ///   - sql: a statement of `FeedSQL`.
    ///   - timeout: the timeout of the whole read. With nil, the pool's query timeout limits each wait for the server
    ///     instead. That suits a full load, which takes as long as sending all keys, and a read after one that timed
    ///     out.
    static func read(
        _ sql: String, timeout: Duration?, from pool: PostgresPool, apply: @escaping @Sendable (KeyEntry) -> Void
    ) async throws -> ChangeBatch {
        let progress = Progress()
        try await pool.withConnection { connection in
            _ = try await connection.copyOut(sql, timeout: timeout) { row in
                try progress.state.withLock { try decode(&row, into: &$0, apply: apply) }
            }
        }
        let result = progress.state.withLock { $0 }
        guard let reading = result.reading else {
            throw StoreError(.failed, detail: "the change feed returned no valid state row")
        }
        return ChangeBatch(reading: reading, count: result.count, skipped: result.skipped)
    }

    private static func decode(
        _ row: inout RowCursor, into state: inout Progress.State, apply: (KeyEntry) -> Void
    ) throws(PostgresError) {
        guard let entryRow = try EntryRow(row: &row) else {
            state.reading = FeedReading(state: try row.nextText(), position: try row.nextXid8())
            return
        }
        if !entryRow.makesSense { state.skipped += 1 }
        guard let entry = entryRow.entry else { return }
        apply(entry)
        state.count += 1
    }
}
