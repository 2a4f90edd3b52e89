import CLibPQ

/// One message of a pipeline that the server answers with a result.
enum WireCommand: Sendable {
    case prepare(name: String, sql: String, types: [UInt32])
    case execute(name: String, EncodedParameters)
    /// Parses and executes in one step, and leaves nothing prepared.
    case query(sql: String, EncodedParameters)
    case deallocate(name: String)
    /// Ends an implicit transaction, and the skipping of commands after an error.
    case sync

    /// Queues the message in libpq's buffer. Returns false if libpq refuses it.
    func send(on connection: OpaquePointer) -> Bool {
        switch self {
        case .prepare(let name, let sql, let types):
            return PQsendPrepare(connection, name, sql, Int32(types.count), types) == 1
        case .execute(let name, let parameters):
            return parameters.withPointers { values in
                let count = Int32(parameters.lengths.count)
                let binary: [Int32] = Array(repeating: 1, count: parameters.lengths.count)
                return PQsendQueryPrepared(connection, name, count, values, parameters.lengths, binary, 1) == 1
            }
        case .query(let sql, let parameters):
            return parameters.withPointers { values in
                let count = Int32(parameters.lengths.count)
                let binary: [Int32] = Array(repeating: 1, count: parameters.lengths.count)
                return PQsendQueryParams(
                    connection, sql, count, parameters.types, values, parameters.lengths, binary, 1) == 1
            }
        case .deallocate(let name):
            return PQsendQueryParams(connection, "DEALLOCATE \(name)", 0, nil, nil, nil, nil, 1) == 1
        case .sync:
            return PQpipelineSync(connection) == 1
        }
    }
}

/// The outcome of one message.
enum CommandOutcome {
    case success(PostgresResult)
    case failure(PostgresError)
    /// Skipped by the server because of an earlier error.
    case skipped
    case synced

    var failure: PostgresError? {
        if case .failure(let error) = self { error } else { nil }
    }
}

extension EncodedParameters {
    /// Passes the addresses of the values to `body`, nil for NULL, valid only during the call.
    fileprivate func withPointers<R>(_ body: ([UnsafePointer<CChar>?]) -> R) -> R {
        bytes.withUnsafeBytes { buffer in
            body(
                offsets.map { offset in
                    guard let offset, let base = buffer.baseAddress else { return nil }
                    return (base + offset).assumingMemoryBound(to: CChar.self)
                })
        }
    }
}
