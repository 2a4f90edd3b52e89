import AuthKeys
import AuthKeysPostgres
import KeyAdministration
import LibPQ

/// A key to create, and the call that creates it.
struct Creation: Sendable {
    let key: NewKey
    let call: AdminCall

    /// The changes for the audit event.
    var changes: AuditChanges {
        var changes = AuditChanges(from: nil, to: key.attributes)
        changes.setSecret(to: key.secret.redactedValue)
        return changes
    }
}

extension PostgresAuthKeyStore {
    /// Creates many keys in one statement. If that fails for a reason that may concern only some of them, each is
    /// created separately.
    static func create(_ creations: [Creation], on pool: PostgresPool) async -> [Result<AuthKey, any Error>] {
        do {
            let created = try await insert(creations, with: pool)
            return creations.map { creation in
                created[creation.key.id].map { .success($0) }
                    ?? .failure(StoreError(.failed, detail: "no row for a new key"))
            }
        } catch  where creations.count > 1 && [.conflict, .failed].contains(StoreError(error, isChange: true).kind) {
            var outcomes: [Result<AuthKey, any Error>] = []
            for creation in creations { outcomes += await create([creation], on: pool) }
            return outcomes
        } catch {
            return creations.map { _ in .failure(error) }
        }
    }

    /// Creates a key unless its claim was used before, in one transaction.
    static func create(
        _ creation: Creation, claim: IdempotencyClaim, on pool: PostgresPool
    ) async throws -> CreateOutcome {
        try await pool.transaction { transaction in
            switch try await acquire(claim, for: creation.key.id, rotation: nil, in: transaction) {
            case .acquired:
                guard let created = try await insert([creation], with: transaction)[creation.key.id] else {
                    throw StoreError(.failed, detail: "no row for a new key")
                }
                return .created(created)
            case .replayed(let row): return .replayed(KeyID(try row.uuid(1)))
            case .claimedOtherwise: return .claimedOtherwise
            }
        }
    }

    private static func insert(
        _ creations: [Creation], with executor: some PostgresExecutor
    ) async throws -> [KeyID: AuthKey] {
        let keys = creations.map(\.key)
        let result = try await executor.query(
            KeySQL.create,
            [
                .uuidArray(keys.map { PostgresUUID($0.id) }),
                .bytesArray(keys.map(\.digest.bytes)),
                .textArray(keys.map(\.prefix.description)),
                .textArray(keys.map(\.lastFour)),
                .textArray(creations.map(\.call.admin.actor.text)), .textArray(creations.map(\.call.admin.actor.name)),
                .textArray(creations.map(\.call.origin.address)), .textArray(creations.map(\.call.origin.requestID)),
                .textArray(creations.map { $0.changes.json.text }),
                .textArray(keys.map { $0.credits?.json.text }),
            ] + AttributeColumn.batchParameters(keys.map(\.attributes)))
        return try created(keys, rows: result.rows)
    }

    private static func created(_ keys: [NewKey], rows: PostgresRows) throws -> [KeyID: AuthKey] {
        var createdAt: [KeyID: Timestamp] = [:]
        for row in rows {
            createdAt[KeyID(try row.uuid(0))] = Timestamp(microseconds: try row.timestamp(1))
        }
        var created: [KeyID: AuthKey] = [:]
        for key in keys {
            guard let at = createdAt[key.id] else { continue }
            created[key.id] = AuthKey(
                id: key.id, attributes: key.attributes, prefix: key.shownPrefix, lastFour: key.lastFour,
                deactivatedAt: nil, createdAt: at, updatedAt: at, version: 1)
        }
        return created
    }
}
