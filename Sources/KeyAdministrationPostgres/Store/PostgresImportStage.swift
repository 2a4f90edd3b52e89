import AuthKeys
import AuthKeysPostgres
import KeyAdministration
import LibPQ

/// The staging table of an import, which exists for the length of its transaction.
struct PostgresImportStage: ImportStage {
    /// The timeout of statements over all keys.
    private static let timeout = Duration.seconds(3_600)

    let transaction: PostgresTransaction

    static func create(in transaction: PostgresTransaction) async throws(PostgresError) -> PostgresImportStage {
        try await transaction.execute(script: KeySQL.createStage)
        return PostgresImportStage(transaction: transaction)
    }

    func add(_ keys: [ImportedKey]) async throws(StoreError) {
        guard !keys.isEmpty else { return }
        try await attempt { () async throws(PostgresError) in
            _ = try await transaction.query(
                KeySQL.stage,
                [
                    .int64Array(keys.map { Int64($0.line) }),
                    .uuidArray(keys.map { PostgresUUID($0.id) }),
                    .bytesArray(keys.map(\.digest.bytes)),
                    .textArray(keys.map(\.prefix)),
                    .textArray(keys.map(\.lastFour)),
                    .textArray(keys.map { $0.isToken ? "true" : "false" }),
                    .timestampArray(keys.map(\.createdAt.microseconds)),
                    .timestampArray(keys.map(\.updatedAt.microseconds)),
                    .timestampArray(keys.map { $0.deactivatedAt?.microseconds }),
                    .textArray(keys.map { $0.attributes.credits?.json.text }),
                ] + AttributeColumn.batchParameters(keys.map(\.attributes)))
            let elsewhere = keys.flatMap { key in key.elsewhere.map { (Int64(key.line), $0.bytes) } }
            if elsewhere.isEmpty { return }
            _ = try await transaction.query(
                KeySQL.stageElsewhere, [.int64Array(elsewhere.map(\.0)), .bytesArray(elsewhere.map(\.1))])
        }
    }

    func removeDuplicates(naming limit: Int) async throws(StoreError) -> ImportDuplicates {
        try await attempt { () async throws(PostgresError) in
            _ = try await transaction.query(KeySQL.analyzeStage, timeout: Self.timeout)
            let rows = try await transaction.query(
                KeySQL.removeDuplicates, [.int64(Int64(limit))], timeout: Self.timeout
            ).rows
            var found = ImportDuplicates()
            for row in rows {
                found.count = Int(try row.int64(3))
                found.first.append(
                    ImportDuplicate(
                        line: Int(try row.int64(0)),
                        reason: ImportDuplicate.Reason(rawValue: try row.int16(1)) ?? .knownSecret,
                        isToken: try row.bool(2)))
            }
            return found
        }
    }

    func keep(schemes: [TokenScheme], by call: AdminCall) async throws(StoreError) -> Int {
        try await attempt { () async throws(PostgresError) in
            _ = try await transaction.query(
                KeySQL.keepSchemes,
                [
                    .textArray(schemes.map(\.prefix)), .textArray(schemes.map(\.algorithm.rawValue)),
                    .textArray(schemes.map(\.part.rawValue)),
                ])
            let kept = try await transaction.query(KeySQL.keepKeys, timeout: Self.timeout)
            _ = try await transaction.query(KeySQL.keepSecrets, timeout: Self.timeout)
            _ = try await transaction.query(KeySQL.keepCredits, timeout: Self.timeout)
            let event = NewAuditEvent(call, .keyImport, changes: AuditChanges(importing: Int(kept.affectedRows)))
            _ = try await transaction.pipeline([AuditSQL.append([event])])
            return Int(kept.affectedRows)
        }
    }

    private func attempt<R: Sendable>(
        _ body: () async throws(PostgresError) -> R
    ) async throws(StoreError) -> R {
        do { return try await body() } catch { throw StoreError(error) }
    }
}
