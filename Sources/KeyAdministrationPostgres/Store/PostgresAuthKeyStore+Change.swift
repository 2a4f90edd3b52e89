import AuthKeys
import AuthKeysPostgres
import KeyAdministration
import LibPQ

/// Changes of existing keys. Each is one transaction that locks the key's row.
extension PostgresAuthKeyStore {
    static func update(
        _ id: KeyID, version: Int64?, by call: AdminCall, on pool: PostgresPool,
        _ change: @Sendable (KeyAttributes) throws(AuthKeyError) -> KeyAttributes
    ) async throws -> UpdateOutcome {
        try await pool.transaction { transaction in
            guard let key = try await hold(id, for: call.admin, in: transaction) else { return .unknown }
            if let version, version != key.version { return .outdated }
            let wanted: KeyAttributes
            do throws(AuthKeyError) {
                wanted = try change(key.attributes)
            } catch {
                return .refused(error)
            }
            let changes = AuditChanges(from: key.attributes, to: wanted)
            if !changes.members.isEmpty {
                _ = try await transaction.pipeline(
                    [
                        PostgresStatement(
                            KeySQL.update, [.uuid(PostgresUUID(id))] + AttributeColumn.parameters(wanted)),
                        AuditSQL.append([NewAuditEvent(call, .keyUpdate, of: key, changes)]),
                    ] + KeySQL.creditChanges(of: id, from: key.credits, to: wanted.credits))
            }
            return .updated(try await changed(id, in: transaction))
        }
    }

    static func delete(
        _ id: KeyID, version: Int64?, by call: AdminCall, on pool: PostgresPool
    ) async throws -> DeleteOutcome {
        try await pool.transaction { transaction in
            guard let key = try await hold(id, for: call.admin, in: transaction) else { return .unknown }
            if let version, version != key.version { return .outdated }
            guard key.deactivatedAt != nil else { return .notDeactivated }
            var changes = AuditChanges(from: key.attributes, to: nil)
            changes.setSecret(from: key.redactedValue)
            _ = try await transaction.pipeline([
                PostgresStatement(KeySQL.delete, [.uuid(PostgresUUID(id))]),
                AuditSQL.append([NewAuditEvent(call, .keyDelete, of: key, changes)]),
            ])
            let buried = try await transaction.query(KeySQL.buried, [.uuid(PostgresUUID(id))]).rows
            return .deleted(try buried.compactMap { try $0.read(KeyEntry.init(row:)) })
        }
    }

    static func rotate(
        _ id: KeyID, version: Int64?, _ rotation: Rotation, claim: IdempotencyClaim?, by call: AdminCall,
        on pool: PostgresPool
    ) async throws -> RotateOutcome {
        try await pool.transaction { transaction in
            guard let key = try await hold(id, for: call.admin, in: transaction) else { return .unknown }
            if let claim {
                switch try await acquire(claim, for: id, rotation: rotation.id, in: transaction) {
                case .acquired: break
                case .replayed(let row):
                    guard let earlier = try row.optionalUuid(2) else { return .claimedOtherwise }
                    return .replayed(KeyID(earlier))
                case .claimedOtherwise: return .claimedOtherwise
                }
            }
            let isOutdated = version.map { $0 != key.version } ?? false
            let isOpen = key.deactivatedAt == nil && key.attributes.expiresAt.map { $0 > .now } ?? true
            guard !isOutdated, isOpen else {
                // The claim is removed too: a refused request may be sent again.
                if let claim { _ = try await transaction.query(KeySQL.forgetClaim, [.bytes(claim.key.bytes)]) }
                return isOutdated ? .outdated : .ended
            }
            return .rotated(try await rotate(key, rotation, by: call, in: transaction))
        }
    }

    /// Adds the secret of a rotation to a key whose row is locked.
    static func rotate(
        _ key: AuthKey, _ rotation: Rotation, by call: AdminCall, in transaction: PostgresTransaction
    ) async throws -> ChangedKey {
        let secret = rotation.secret
        _ = try await transaction.pipeline([
            PostgresStatement(
                KeySQL.rotate,
                [
                    .uuid(PostgresUUID(key.id)), .bytes(secret.digest.bytes), .text(secret.prefix.description),
                    .text(secret.lastFour), .uuid(PostgresUUID(rotation.id)),
                    .double(rotation.grace / .seconds(1)),
                ]),
            AuditSQL.append([NewAuditEvent(call, .keyRotate, of: key, AuditChanges(of: key, by: rotation))]),
        ])
        return try await changed(key.id, in: transaction)
    }

    /// Locks the key before its secrets, as every change of both does, to avoid deadlocks.
    static func endPreviousSecrets(
        _ id: KeyID, by call: AdminCall, on pool: PostgresPool
    ) async throws -> [KeyEntry]? {
        try await pool.transaction { transaction in
            guard try await hold(id, for: call.admin, in: transaction) != nil else { return nil }
            let key = PostgresParameter.uuid(PostgresUUID(id))
            _ = try await transaction.query(KeySQL.endPreviousSecrets, [key] + AuditSQL.parameters(of: call))
            // Read before the commit: a failure after it must not report the change as failed.
            let rows = try await transaction.query(KeySQL.entriesOfOwnersKey, [key, .null]).rows
            return try rows.compactMap { try $0.read(KeyEntry.init(row:)) }
        }
    }

    /// The outcome of an attempt to claim an idempotency key.
    enum ClaimOutcome {
        case acquired
        /// The same request claimed it earlier; the row contains the result.
        case replayed(PostgresRow)
        case claimedOtherwise
    }

    static func acquire(
        _ claim: IdempotencyClaim, for id: KeyID, rotation: KeyID?, in transaction: PostgresTransaction
    ) async throws -> ClaimOutcome {
        _ = try await transaction.query(KeySQL.forgetClaims)
        let claimed = try await transaction.query(
            KeySQL.claim,
            [
                .bytes(claim.key.bytes), .bytes(claim.request.bytes), .uuid(PostgresUUID(id)),
                rotation.map { .uuid(PostgresUUID($0)) } ?? .null,
            ])
        if claimed.affectedRows == 1 { return .acquired }
        guard let row = try await transaction.query(KeySQL.claimed, [.bytes(claim.key.bytes)]).rows.first else {
            throw StoreError(.failed, detail: "an idempotency claim disappeared")
        }
        return SecretDigest(try row.bytes(0)) == claim.request ? .replayed(row) : .claimedOtherwise
    }

    /// Returns the key with its row locked until the end of the transaction; nil if there is none that the admin may
    /// see.
    static func hold(
        _ id: KeyID, for admin: Admin, in transaction: PostgresTransaction
    ) async throws -> AuthKey? {
        let row = try await transaction.query(KeySQL.hold, [.uuid(PostgresUUID(id))]).rows.first
        guard let key = try row?.read(AuthKey.init(row:)), admin.sees(owner: key.owner) else { return nil }
        return key
    }

    static func changed(_ id: KeyID, in transaction: PostgresTransaction) async throws -> ChangedKey {
        guard let row = try await transaction.query(KeySQL.key, [.uuid(PostgresUUID(id))]).rows.first else {
            throw StoreError(.failed, detail: "a key disappeared while its row was locked")
        }
        let entries = try await transaction.query(KeySQL.entriesOfKey, [.uuid(PostgresUUID(id))]).rows
        return ChangedKey(
            key: try row.read(AuthKey.init(row:)),
            entries: try entries.compactMap { try $0.read(KeyEntry.init(row:)) })
    }
}
