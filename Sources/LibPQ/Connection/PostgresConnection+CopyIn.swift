import CLibPQ

extension PostgresConnection {
    /// Runs a COPY from this program and returns the number of copied rows. The caller owns the connection.
    func run(
        copy sql: String, from chunks: some Sequence<[UInt8]>, in transaction: PostgresTransaction? = nil,
        deadline: Deadline
    ) async throws(PostgresError) -> Int {
        try Self.check(sql: sql)
        try await acquireTurn(.wire, deadline)
        defer { endTurn(.wire) }
        try transaction?.check()
        var deadline = deadline
        var copy = CopyIn(preambleResults: try sendCopy(sql))
        do throws(PostgresError) {
            return try await run(&copy, chunks, &deadline)
        } catch {
            // In the simple protocol, the server answers an error before it has got the end of the copy. A pooler then
            // links the rest to a server that does not become free.
            if settings.isPooled { shutDown() }
            // A non-fatal error of the server rules out a commit, and says more than the loss of the connection.
            if let failure = copy.failure, !failure.isFatal { throw error.kind == .connectionLost ? failure : error }
            throw copy.isEnded && transaction == nil ? error.withUnknownOutcome : error
        }
    }

    private func run(
        _ copy: inout CopyIn, _ chunks: some Sequence<[UInt8]>, _ deadline: inout Deadline
    ) async throws(PostgresError) -> Int {
        let session = session
        try await flushAll(&deadline)
        while let result = try await nextResult(&deadline) {
            switch PQresultStatus(result.pointer) {
            case PGRES_COPY_IN: try await send(chunks, &copy, &deadline)
            case PGRES_COPY_OUT, PGRES_COPY_BOTH: throw copyRefused()
            default: copy.receive(result)
            }
        }
        try await finish(&deadline, copy.failure)
        if session?.takeUnconfirmedCommit() == true { throw .unconfirmedCommit }
        guard let rows = copy.rows else {
            throw PostgresError(.invalidParameter, detail: "the statement is not a COPY FROM STDIN")
        }
        return rows
    }

    /// Sends the chunks, each after the socket has accepted the one before, and ends the copy. After an interruption,
    /// the copy is ended with an error, so that the server discards the rows (libpq, "PQputCopyEnd").
    ///
    /// The server reports an error of the data only at the end, and discards the chunks until then.
    private func send(
        _ chunks: some Sequence<[UInt8]>, _ copy: inout CopyIn, _ deadline: inout Deadline
    ) async throws(PostgresError) {
        for chunk in chunks where !chunk.isEmpty {
            // Other work of the connection, such as a close, gets its turn.
            await Task.yield()
            // Even while the socket accepts data.
            if deadline.interruption == nil, let reason = deadline.reasonToEnd {
                try interrupt(&deadline, PostgresError(reason))
            }
            if deadline.interruption != nil { break }
            guard chunk.count <= Int(Int32.max) else {
                throw PostgresError(.invalidParameter, detail: "a chunk of a COPY is larger than 2 GiB")
            }
            guard let session else { throw PostgresError(.connectionLost) }
            // In non-blocking mode libpq grows its buffer instead of refusing the chunk. It is empty at this point.
            guard session.putCopyData(chunk) else { throw broken(session) }
            try await flushAll(&deadline)
            deadline.progressed()
        }
        guard let session else { throw PostgresError(.connectionLost) }
        let reason = deadline.interruption.map { "\($0)" }
        guard session.putCopyEnd(failing: reason) else { throw broken(session) }
        copy.isEnded = reason == nil
        try await flushAll(&deadline)
    }
}

/// The progress of a COPY to the server.
private struct CopyIn {
    /// The number of results of preceding statements that are still expected.
    var preambleResults: Int
    /// True if all rows were sent, so that the server may commit them.
    var isEnded = false
    private(set) var failure: PostgresError?
    private(set) var rows: Int?

    init(preambleResults: Int) { self.preambleResults = preambleResults }

    mutating func receive(_ result: PostgresResult) {
        switch PQresultStatus(result.pointer) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK:
            if preambleResults > 0 { preambleResults -= 1 } else if isEnded { rows = result.affectedRows }
        case PGRES_EMPTY_QUERY: break
        default:
            let error = PostgresError(result: result.pointer)
            failure = failure ?? (preambleResults > 0 ? .unusableSession(error) : error)
        }
    }
}

extension Session {
    /// Returns false if the connection is lost (libpq, "PQputCopyData").
    fileprivate func putCopyData(_ chunk: [UInt8]) -> Bool {
        chunk.withUnsafeBytes { bytes in
            PQputCopyData(pointer, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(bytes.count)) == 1
        }
    }

    /// Ends the copy, with an error if there is a reason. Returns false if the connection is lost.
    fileprivate func putCopyEnd(failing reason: String?) -> Bool { PQputCopyEnd(pointer, reason) == 1 }
}
