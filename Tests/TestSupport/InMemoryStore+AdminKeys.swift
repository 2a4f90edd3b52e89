public import AuthKeys
public import KeyAdministration

extension InMemoryStore: AdminKeyStore {
    public func adminKeys(
        of owners: OwnerScope, after: ListCursor?, limit: Int
    ) async throws(StoreError) -> [AdminKey] {
        func order(_ cursor: ListCursor) -> (Int64, String, String) {
            (-(cursor.moment?.microseconds ?? 0), cursor.name, cursor.id.description)
        }
        return try read { state in
            state.adminKeys.values.map(\.key).filter { owners.contains($0.owner) }
                .sorted { order(ListCursor(after: $0)) < order(ListCursor(after: $1)) }
                .drop { key in after.map { order(ListCursor(after: key)) <= order($0) } ?? false }
                .prefix(limit).map(\.self)
        }
    }

    public func adminKey(_ id: KeyID) async throws(StoreError) -> AdminKey? {
        try read { $0.adminKeys[id]?.key }
    }

    public func adminKey(
        with digest: SecretDigest, using permissions: [AdminPermission]
    ) async throws(StoreError) -> AdminKey? {
        let now = time.now()
        return try read { state in
            guard var row = state.adminKeys.values.first(where: { $0.digest == digest }) else { return nil }
            guard row.key.isActive(at: now), !row.key.permissions.isDisjoint(with: permissions) else { return row.key }
            row.key = row.key.with(row.key.attributes, lastUsedAt: now)
            state.adminKeys[row.key.id] = row
            return row.key
        }
    }

    public func adminKeysByDigest() async throws(StoreError) -> [SecretDigest: AdminKey] {
        try read { state in Dictionary(state.adminKeys.values.map { ($0.digest, $0.key) }) { $1 } }
    }

    public func writeBack(deactivated ids: [KeyID]) async throws(StoreError) {
        let now = time.now()
        try read { state in
            for id in ids {
                guard let (digest, key) = state.adminKeys[id], key.deactivatedAt == nil else { continue }
                state.adminKeys[id] = (
                    digest,
                    AdminKey(
                        id: id, attributes: key.attributes, lastFour: key.lastFour, deactivatedAt: now,
                        createdAt: key.createdAt, updatedAt: now, lastUsedAt: key.lastUsedAt, version: key.version + 1)
                )
                var changes = AuditChanges()
                changes.set("active", from: .bool(true), to: .bool(false))
                changes.set("reason", to: .string("the database had lost this"))
                state.trail.append(
                    [
                        NewAuditEvent(
                            actor: .system, origin: CallOrigin(address: "", requestID: ""), action: .adminKeyDeactivate,
                            subject: id, owner: key.owner, changes: changes)
                    ], now: now)
            }
        }
    }

    public func createAdminKey(_ key: NewAdminKey, by call: AdminCall) async throws(StoreError) -> AdminKey {
        let now = time.now()
        return try read { state in
            let made = AdminKey(
                id: key.id, attributes: key.attributes, lastFour: key.secret.lastFour, deactivatedAt: nil,
                createdAt: now, updatedAt: now, lastUsedAt: nil, version: 1)
            state.adminKeys[key.id] = (key.secret.digest, made)
            var changes = AuditChanges(from: nil, to: key.attributes)
            changes.setSecret(to: key.secret.redactedValue)
            let event = NewAuditEvent(
                call, .adminKeyCreate, subject: key.id, owner: key.attributes.owner, changes: changes)
            state.trail.append([event], now: now)
            return made
        }
    }

    public func updateAdminKey(
        _ id: KeyID, version: Int64?, keepsLast: Bool, by call: AdminCall,
        _ change: @escaping @Sendable (AdminKeyAttributes) throws(AuthKeyError) -> AdminKeyAttributes
    ) async throws(StoreError) -> AdminKeyOutcome {
        let now = time.now()
        return try changeAdminKey(id, keepsLast: keepsLast, by: call) { key in
            if let version, version != key.version { return (.outdated, nil) }
            do throws(AuthKeyError) {
                let wanted = try change(key.attributes)
                let changes = AuditChanges(from: key.attributes, to: wanted)
                if changes.members.isEmpty { return (.changed(key), nil) }
                let event = NewAuditEvent(
                    call, .adminKeyUpdate, subject: id, owner: key.owner,
                    changes: changes)
                return (.changed(key.with(wanted, updatedAt: now)), event)
            } catch {
                return (.refused(error), nil)
            }
        }
    }

    public func deactivateAdminKey(
        _ id: KeyID, keepsLast: Bool, by call: AdminCall
    ) async throws(StoreError) -> AdminKeyOutcome {
        let now = time.now()
        return try changeAdminKey(id, keepsLast: keepsLast, by: call) { key in
            if key.deactivatedAt != nil { return (.changed(key), nil) }
            var changes = AuditChanges()
            changes.set("active", from: .bool(key.isActive(at: now)), to: .bool(false))
            let event = NewAuditEvent(call, .adminKeyDeactivate, subject: id, owner: key.owner, changes: changes)
            return (.changed(key.with(key.attributes, deactivatedAt: now, updatedAt: now)), event)
        }
    }

    private func changeAdminKey(
        _ id: KeyID, keepsLast: Bool, by call: AdminCall,
        _ body: (AdminKey) -> (AdminKeyOutcome, NewAuditEvent?)
    ) throws(StoreError) -> AdminKeyOutcome {
        let now = time.now()
        return try read { state in
            func reach(_ keys: some Sequence<AdminKey>) -> AdminReach { keys.map { $0.reach(at: now) }.max() ?? .none }
            guard let row = state.adminKeys[id], call.admin.sees(owner: row.key.owner) else { return .unknown }
            let (outcome, event) = body(row.key)
            guard case .changed(let changed) = outcome, let event else { return outcome }
            let others = state.adminKeys.values.map(\.key).filter { $0.id != id }
            guard !keepsLast || reach(others + [changed]) >= reach(others + [row.key]) else {
                return .refused(.conflict(.lastAdminCredential))
            }
            state.adminKeys[id] = (row.digest, changed)
            state.trail.append([event], now: now)
            return outcome
        }
    }
}

extension AdminKey {
    /// Returns the key after a change. A change of the last use alone does not increment the version.
    fileprivate func with(
        _ attributes: AdminKeyAttributes, deactivatedAt: Timestamp? = nil, updatedAt: Timestamp? = nil,
        lastUsedAt: Timestamp? = nil
    ) -> AdminKey {
        AdminKey(
            id: id, attributes: attributes, lastFour: lastFour, deactivatedAt: deactivatedAt ?? self.deactivatedAt,
            createdAt: createdAt, updatedAt: updatedAt ?? self.updatedAt, lastUsedAt: lastUsedAt ?? self.lastUsedAt,
            version: updatedAt == nil ? version : version + 1)
    }
}
