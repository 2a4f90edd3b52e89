public import AuthKeys
import AuthKeysPostgres
public import KeyAdministration
import LibPQ

extension PostgresAuthKeyStore: AdminKeyStore {
    public func adminKeys(
        of owners: OwnerScope, after: ListCursor?, limit: Int
    ) async throws(StoreError) -> [AdminKey] {
        try await attempt {
            let parameters: [PostgresParameter] = [
                .optional(owners.owner), .optional(after?.moment), .text(after?.name ?? ""),
                .uuid(PostgresUUID(after?.id ?? KeyID(high: 0, low: 0))), .int64(Int64(limit)),
            ]
            return try await self.pool.query(AdminKeySQL.list, parameters).rows.map { try $0.read(AdminKey.init(row:)) }
        }
    }

    public func adminKey(_ id: KeyID) async throws(StoreError) -> AdminKey? {
        try await attempt {
            try await self.pool.query(AdminKeySQL.key, [.uuid(PostgresUUID(id))]).rows.first?.read(AdminKey.init(row:))
        }
    }

    public func adminKey(
        with digest: SecretDigest, using permissions: [AdminPermission]
    ) async throws(StoreError) -> AdminKey? {
        try await attempt {
            let parameters: [PostgresParameter] = [.bytes(digest.bytes), .textArray(permissions.map(\.rawValue))]
            return try await self.pool.query(AdminKeySQL.use, parameters).rows.first?.read(AdminKey.init(row:))
        }
    }

    public func adminKeysByDigest() async throws(StoreError) -> [SecretDigest: AdminKey] {
        try await attempt {
            var keys: [SecretDigest: AdminKey] = [:]
            for row in try await self.pool.query(AdminKeySQL.byDigest).rows {
                var row = RowCursor(row)
                // Without any admin key, the result is one row of NULLs.
                guard let digest = try row.nextOptionalBytes().flatMap({ SecretDigest($0) }) else { continue }
                keys[digest] = try AdminKey(row: &row)
            }
            return keys
        }
    }

    public func writeBack(deactivated ids: [KeyID]) async throws(StoreError) {
        try await change {
            _ = try await self.pool.query(AdminKeySQL.writeBack, [.uuidArray(ids.map { PostgresUUID($0) })])
        }
    }

    public func createAdminKey(_ key: NewAdminKey, by call: AdminCall) async throws(StoreError) -> AdminKey {
        try await change {
            var changes = AuditChanges(from: nil, to: key.attributes)
            changes.setSecret(to: key.secret.redactedValue)
            let statements = [
                PostgresStatement(
                    AdminKeySQL.create,
                    [
                        .uuid(PostgresUUID(key.id)), .text(key.attributes.name),
                        .textArray(key.attributes.permissionNames),
                        .optional(key.attributes.owner), .optional(key.attributes.expiresAt),
                        .bytes(key.secret.digest.bytes), .text(key.secret.lastFour),
                    ]),
                AuditSQL.append([
                    NewAuditEvent(
                        call, .adminKeyCreate, subject: key.id, owner: key.attributes.owner, changes: changes)
                ]),
            ]
            guard let row = try await self.pool.pipeline(statements).first?.rows.first else {
                throw StoreError(.failed, detail: "no row for a new admin key")
            }
            return try row.read(AdminKey.init(row:))
        }
    }

    public func updateAdminKey(
        _ id: KeyID, version: Int64?, keepsLast: Bool, by call: AdminCall,
        _ change: @escaping @Sendable (AdminKeyAttributes) throws(AuthKeyError) -> AdminKeyAttributes
    ) async throws(StoreError) -> AdminKeyOutcome {
        try await self.change {
            try await self.changeAdminKey(id, keepsLast: keepsLast, by: call) { key, transaction in
                if let version, version != key.version { return .outdated }
                let wanted: AdminKeyAttributes
                do throws(AuthKeyError) {
                    wanted = try change(key.attributes)
                } catch {
                    return .refused(error)
                }
                let changes = AuditChanges(from: key.attributes, to: wanted)
                if changes.members.isEmpty { return .changed(key) }
                return try await Self.write(
                    PostgresStatement(
                        AdminKeySQL.update,
                        [
                            .uuid(PostgresUUID(id)), .text(wanted.name), .textArray(wanted.permissionNames),
                            .optional(wanted.expiresAt),
                        ]),
                    event: NewAuditEvent(
                        call, .adminKeyUpdate, subject: id, owner: key.owner,
                        changes: changes), in: transaction)
            }
        }
    }

    public func deactivateAdminKey(
        _ id: KeyID, keepsLast: Bool, by call: AdminCall
    ) async throws(StoreError) -> AdminKeyOutcome {
        try await change {
            try await self.changeAdminKey(id, keepsLast: keepsLast, by: call) { key, transaction in
                if key.deactivatedAt != nil { return .changed(key) }
                var changes = AuditChanges()
                changes.set("active", from: .bool(key.isActive(at: .now)), to: .bool(false))
                return try await Self.write(
                    PostgresStatement(AdminKeySQL.deactivate, [.uuid(PostgresUUID(id))]),
                    event: NewAuditEvent(call, .adminKeyDeactivate, subject: id, owner: key.owner, changes: changes),
                    in: transaction)
            }
        }
    }

    /// The outcome of a transaction that is rolled back after it has changed rows.
    private struct Undone: Error {
        let outcome: AdminKeyOutcome
    }

    /// Changes an admin key, one change at a time in the whole database. Rolls back if the change would reduce who can
    /// administer admin keys.
    private func changeAdminKey(
        _ id: KeyID, keepsLast: Bool, by call: AdminCall,
        _ body: @Sendable (AdminKey, PostgresTransaction) async throws -> AdminKeyOutcome
    ) async throws -> AdminKeyOutcome {
        do {
            return try await pool.transaction { transaction in
                _ = try await transaction.query(AdminKeySQL.lock, [.int64(AdminKeySQL.lockKey)])
                let row = try await transaction.query(AdminKeySQL.hold, [.uuid(PostgresUUID(id))]).rows.first
                guard let key = try row?.read(AdminKey.init(row:)), call.admin.sees(owner: key.owner) else {
                    return .unknown
                }
                let before = keepsLast ? try await Self.reach(in: transaction) : .none
                let outcome = try await body(key, transaction)
                if keepsLast, try await Self.reach(in: transaction) < before {
                    throw Undone(outcome: .refused(.conflict(.lastAdminCredential)))
                }
                return outcome
            }
        } catch let undone as Undone {
            return undone.outcome
        }
    }

    private static func reach(in transaction: PostgresTransaction) async throws -> AdminReach {
        let keys = try await transaction.query(AdminKeySQL.administrators).rows.map { try $0.read(AdminKey.init(row:)) }
        return keys.map { $0.reach(at: .now) }.max() ?? .none
    }

    private static func write(
        _ statement: PostgresStatement, event: NewAuditEvent, in transaction: PostgresTransaction
    ) async throws -> AdminKeyOutcome {
        guard let row = try await transaction.pipeline([statement, AuditSQL.append([event])]).first?.rows.first else {
            throw StoreError(.failed, detail: "an admin key disappeared while its row was locked")
        }
        return .changed(try row.read(AdminKey.init(row:)))
    }
}

extension AdminKey {
    /// Reads `AdminKeySQL.columns`. Permissions that this build does not know are ignored.
    init(row: inout RowCursor) throws(PostgresError) {
        self.init(
            id: try row.nextID(),
            attributes: AdminKeyAttributes(
                name: try row.nextText(),
                permissions: Set(try row.nextTextArray().compactMap(AdminPermission.init(rawValue:))),
                owner: try row.nextOptionalText(), expiresAt: try row.nextOptionalMoment()),
            lastFour: try row.nextText(), deactivatedAt: try row.nextOptionalMoment(),
            createdAt: try row.nextMoment(), updatedAt: try row.nextMoment(),
            lastUsedAt: try row.nextOptionalMoment(), version: try row.nextInt64())
    }
}
