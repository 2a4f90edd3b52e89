import CLibPQ

extension PostgresConnection {
    /// Runs a script in the simple protocol. The caller owns the connection.
    func run(
        script: String, in transaction: PostgresTransaction? = nil, deadline: Deadline
    ) async throws(PostgresError) {
        try Self.check(sql: script)
        try await acquireTurn(.wire, deadline)
        defer { endTurn(.wire) }
        try transaction?.check()
        var deadline = deadline
        let session = session
        let text = preamble.joined(separator: "; ") + script
        try begin { PQsendQuery($0, text) }
        let failure: PostgresError?
        do throws(PostgresError) {
            failure = try await results(&deadline)
        } catch {
            throw transaction == nil ? error.withUnknownOutcome : error
        }
        let isUnconfirmed = session?.takeUnconfirmedCommit() ?? false
        if let failure, failure.isFatal, transaction == nil { throw failure.withUnknownOutcome }
        try await finish(&deadline, failure)
        if isUnconfirmed { throw .unconfirmedCommit }
    }

    /// Reads all results of a script, and returns its error.
    private func results(_ deadline: inout Deadline) async throws(PostgresError) -> PostgresError? {
        try await flushAll(&deadline)
        var failure: PostgresError?
        while let result = try await nextResult(&deadline) {
            switch PQresultStatus(result.pointer) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: break
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH: throw copyRefused()
            default: failure = failure ?? PostgresError(result: result.pointer)
            }
        }
        return failure
    }

    /// The statements that begin a new transaction behind a pooler.
    private var preamble: [String] {
        settings.isPooled && session?.isIdle == true ? SessionSettings.transactionStatements + [""] : []
    }

    /// Runs a COPY to this program. The caller owns the connection.
    func run(
        copy sql: String, in transaction: PostgresTransaction? = nil, deadline: Deadline,
        row: @Sendable (inout RowCursor) throws -> Void
    ) async throws(PostgresError) -> Int {
        try Self.check(sql: sql)
        try await acquireTurn(.wire, deadline)
        defer { endTurn(.wire) }
        try transaction?.check()
        var deadline = deadline
        var ignored = try sendCopy(sql)
        try await flushAll(&deadline)
        var stream = CopyStream()
        var failure: PostgresError?
        while let result = try await nextResult(&deadline) {
            if ignored > 0, [PGRES_COMMAND_OK, PGRES_TUPLES_OK].contains(PQresultStatus(result.pointer)) {
                ignored -= 1
                continue
            }
            switch PQresultStatus(result.pointer) {
            case PGRES_COPY_OUT:
                if PQbinaryTuples(result.pointer) != 1 {
                    failure = PostgresError(.invalidParameter, detail: "the statement is not a COPY in binary format")
                    try interruptCopy(&deadline, failure)
                }
                failure = try await receiveCopy(into: &stream, failure, &deadline, row: row) ?? failure
            case PGRES_COMMAND_OK: break
            case PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
                failure = failure ?? PostgresError(.invalidParameter, detail: "the statement is not a COPY TO STDOUT")
            case PGRES_COPY_IN, PGRES_COPY_BOTH: throw copyRefused()
            default: failure = failure ?? PostgresError(result: result.pointer)
            }
        }
        try await finish(&deadline, ignored > 0 ? failure.map { .unusableSession($0) } : failure)
        // Rows that arrived after the interruption were discarded, even if the server had already finished.
        if let interruption = deadline.interruption { throw interruption }
        guard stream.isComplete else { throw PostgresError(.decoding, detail: "the COPY stream is incomplete") }
        return stream.rowCount
    }

    /// Sends a COPY statement, and returns the number of results that come before its own.
    func sendCopy(_ sql: String) throws(PostgresError) -> Int {
        let preamble = preamble
        let text = preamble.joined(separator: "; ") + sql
        try begin {
            // The extended protocol permits only one statement. A pooled connection needs the simple one for its
            // preamble.
            settings.isPooled ? PQsendQuery($0, text) : PQsendQueryParams($0, text, 0, nil, nil, nil, nil, 1)
        }
        return max(preamble.count - 1, 0)
    }

    /// Reads the stream to its end and returns the first error on this side. After an error, the remaining rows are
    /// discarded.
    private func receiveCopy(
        into stream: inout CopyStream, _ failure: PostgresError?, _ deadline: inout Deadline,
        row: @Sendable (inout RowCursor) throws -> Void
    ) async throws(PostgresError) -> PostgresError? {
        var failure = failure
        while let session {
            let isDiscarding = failure != nil || deadline.interruption != nil
            switch session.receiveRows(into: &stream, discarding: isDiscarding, row: row) {
            case .more: try await progress(&deadline)
            case .end: return failure
            case .failed(let error):
                failure = error
                try interruptCopy(&deadline, error)
            }
        }
        throw failure ?? PostgresError(.connectionLost)
    }

    private func interruptCopy(_ deadline: inout Deadline, _ error: PostgresError?) throws(PostgresError) {
        if let error, deadline.interruption == nil { try interrupt(&deadline, error) }
    }

    private func begin(_ send: (OpaquePointer) -> Int32) throws(PostgresError) {
        guard isAlive(), let session else { throw .closed() }
        guard send(session.pointer) == 1 else { throw broken(session) }
    }

    func flushAll(_ deadline: inout Deadline) async throws(PostgresError) {
        while let session, try flush(session) { try await progress(&deadline, write: true) }
    }

    /// Returns the next result; nil after the last one.
    func nextResult(_ deadline: inout Deadline) async throws(PostgresError) -> PostgresResult? {
        while let session {
            if PQisBusy(session.pointer) == 0 { return PQgetResult(session.pointer).map { PostgresResult($0) } }
            try await progress(&deadline)
        }
        throw PostgresError(.connectionLost)
    }

    /// Waits until a cancel request in progress has arrived, before another call uses the connection. Then throws the
    /// error, if there is one.
    func finish(_ deadline: inout Deadline, _ failure: PostgresError?) async throws(PostgresError) {
        while isCancelUnderWay { try await progress(&deadline) }
        guard let failure else { return }
        throw failure.sqlState == .queryCanceled ? deadline.interruption ?? failure : failure
    }
}

extension Session {
    fileprivate enum CopyProgress {
        case more
        case end
        case failed(PostgresError)
    }

    /// Passes on the rows that have arrived (libpq, "PQgetCopyData").
    fileprivate func receiveRows(
        into stream: inout CopyStream, discarding: Bool, row: (inout RowCursor) throws -> Void
    ) -> CopyProgress {
        while true {
            var data: UnsafeMutablePointer<CChar>?
            let length = PQgetCopyData(pointer, &data, 1)
            guard length > 0 else { return length == 0 ? .more : .end }
            defer { PQfreemem(data) }
            if discarding { continue }
            do throws(PostgresError) {
                try stream.receive(UnsafeRawBufferPointer(start: data, count: Int(length)), row: row)
            } catch {
                return .failed(error)
            }
        }
    }
}
