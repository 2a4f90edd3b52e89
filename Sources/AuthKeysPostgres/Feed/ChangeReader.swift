import AuthKeys
import LibPQ
import Synchronization

/// Reads the change feed with COPY, so that a full load of millions of keys streams through bounded memory.
enum ChangeReader {
    /// The result of one read so far. Rows come one at a time, on the connection's executor.
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
    ///   - timeout: for the whole; nil bounds each wait for the server instead (by the pool's query timeout): for a full load, which
    ///     takes as long as it takes to send all keys, and after a read that did not end in time.
    static func read(
        _ sql: String, timeout: Duration?, from pool: PostgresPool, apply: @escaping @Sendable (KeyEntry) -> Void
    ) async throws -> ChangeBatch {
        let progress = Progress()
        try await pool.withConnection { connection in
            _ = try await connection.copyOut(sql, timeout: timeout) { row in
                try progress.state.withLock { try take(&row, into: &$0, apply: apply) }
            }
        }
        let result = progress.state.withLock { $0 }
        guard let reading = result.reading else {
            throw StoreError(.failed, detail: "the change feed did not say where it stands")
        }
        return ChangeBatch(reading: reading, count: result.count, skipped: result.skipped)
    }

    private static func take(
        _ row: inout CopyRow, into state: inout Progress.State, apply: (KeyEntry) -> Void
    ) throws(PostgresError) {
        guard let digest = try row.nextOptionalBytes() else {
            for _ in 0..<8 + PolicyColumns.count { try row.skip() }
            state.reading = FeedReading(state: try row.nextText(), position: try row.nextXid8())
            return
        }
        let raw = RawEntry(
            digest: SecretDigest(digest), id: KeyID(try row.nextUuid()), version: try row.nextInt64(),
            state: try row.nextInt16(),
            expiresAt: try row.nextOptionalTimestampOrInfinity().map { Timestamp(microseconds: $0) },
            name: try row.nextText(), owner: try row.nextOptionalText(), scopes: try row.nextText(),
            policy: PolicyColumns(
                expiresAt: try row.nextOptionalTimestampOrInfinity().map { Timestamp(microseconds: $0) },
                notBefore: try row.nextOptionalTimestampOrInfinity().map { Timestamp(microseconds: $0) },
                methods: try row.nextOptionalText(), paths: try row.nextOptionalText(),
                cidrs: try row.nextOptionalText(), reportOnly: try row.nextOptionalText()
            ).policy,
            metadata: try row.nextOptionalText())
        if !raw.makesSense { state.skipped += 1 }
        guard let entry = raw.entry else { return }
        apply(entry)
        state.count += 1
    }
}
