import AuthKeys
import AuthKeysPostgres
import KeyAdministration
import LibPQ

/// Rotations of keys by their holders.
extension PostgresAuthKeyStore {
    static func rotate(
        _ id: KeyID, byHolder rotation: HolderRotation, _ call: AdminCall, on pool: PostgresPool
    ) async throws -> HolderRotateOutcome {
        try await pool.transaction { transaction in
            guard let key = try await hold(id, for: call.admin, in: transaction) else { return .refused(.ended) }
            let newest = try await transaction.query(KeySQL.newestSecret, [.uuid(PostgresUUID(id))]).rows.first
            let age = try newest?.int64(1) ?? -1
            let refusal = HolderRefusal.of(
                key, rotation, newest: try newest.flatMap { SecretDigest(try $0.bytes(0)) },
                sinceRotation: age < 0 ? nil : .microseconds(age), at: .now)
            if let refusal { return .refused(refusal) }
            return .rotated(try await rotate(key, rotation.rotation, by: call, in: transaction))
        }
    }
}
