import AuthKeys
import LibPQ

extension PostgresAuthKeyStore {
    /// Creates many keys in one statement. Should that fail for a reason that need not concern all, each is tried by itself.
    static func create(_ keys: [NewKey], on pool: PostgresPool) async -> [Result<AuthKey, any Error>] {
        do {
            let created = try await insert(keys, with: pool)
            return keys.map { key in
                created[key.id].map { .success($0) } ?? .failure(StoreError(.failed, detail: "no row for a new key"))
            }
        } catch let error as PostgresError where keys.count > 1 && !error.isUnavailable {
            var outcomes: [Result<AuthKey, any Error>] = []
            for key in keys { outcomes += await create([key], on: pool) }
            return outcomes
        } catch {
            return keys.map { _ in .failure(error) }
        }
    }

    /// Creates a key unless its claim was used before, in one transaction.
    static func create(
        _ key: NewKey, claim: IdempotencyClaim, on pool: PostgresPool
    ) async throws -> CreateOutcome {
        try await pool.transaction { transaction in
            _ = try await transaction.query(KeySQL.forgetClaims)
            let claimed = try await transaction.query(
                KeySQL.claim, [.bytes(claim.key.bytes), .bytes(claim.request.bytes), .uuid(PostgresUUID(key.id))])
            if claimed.affectedRows == 1 {
                guard let created = try await insert([key], with: transaction)[key.id] else {
                    throw StoreError(.failed, detail: "no row for a new key")
                }
                return .created(created)
            }
            guard let row = try await transaction.query(KeySQL.claimed, [.bytes(claim.key.bytes)]).rows.first else {
                throw StoreError(.failed, detail: "an idempotency claim vanished")
            }
            guard SecretDigest(try row.bytes(0)) == claim.request else { return .claimedOtherwise }
            return .replayed(KeyID(try row.uuid(1)))
        }
    }

    private static func insert(
        _ keys: [NewKey], with executor: some PostgresExecutor
    ) async throws -> [KeyID: AuthKey] {
        let result = try await executor.query(
            KeySQL.create,
            [
                .uuidArray(keys.map { PostgresUUID($0.id) }),
                .textArray(keys.map(\.name)),
                .textArray(keys.map(\.description)),
                .textArray(keys.map(\.owner)),
                .textArray(keys.map { $0.scopes.joined(separator: " ") }),
                .timestampArray(keys.map { $0.expiresAt?.microseconds }),
                .bytesArray(keys.map(\.digest.bytes)),
                .textArray(keys.map(\.prefix.description)),
                .textArray(keys.map(\.lastFour)),
            ])
        var createdAt: [KeyID: Timestamp] = [:]
        for row in result.rows {
            createdAt[KeyID(try row.uuid(0))] = Timestamp(microseconds: try row.timestamp(1))
        }
        var created: [KeyID: AuthKey] = [:]
        for key in keys {
            guard let at = createdAt[key.id] else { continue }
            created[key.id] = AuthKey(
                id: key.id, name: key.name, description: key.description, owner: key.owner, scopes: key.scopes,
                prefix: key.prefix.description, lastFour: key.lastFour, enabled: true, expiresAt: key.expiresAt,
                deactivatedAt: nil, createdAt: at, updatedAt: at, version: 1)
        }
        return created
    }
}
