public import AuthKeys
public import KeyAdministration

extension InMemoryStore {
    public func plans() async throws(StoreError) -> [SharedLimits] {
        try read { state in
            state.limits.values.filter { if case .plan = $0.holder { true } else { false } }
                .sorted { $0.holder.name.utf8.lexicographicallyPrecedes($1.holder.name.utf8) }
        }
    }

    public func limits(of holder: LimitHolder) async throws(StoreError) -> SharedLimits? {
        try read { $0.limits[Key(holder)] }
    }

    public func setLimits(
        of holder: LimitHolder, version: Int64?, to content: SharedLimits.Content, by call: AdminCall
    ) async throws(StoreError) -> SharedLimitsOutcome {
        let now = time.now()
        return try read { state in
            let before = state.limits[Key(holder)]
            if let version, version != before?.version { return .outdated }
            if let before, before.content == content { return .updated(before) }
            let after = SharedLimits(
                holder: holder, content: content, createdAt: before?.createdAt ?? now, updatedAt: now,
                version: (before?.version ?? 0) + 1)
            state.limits[Key(holder)] = after
            state.trail.append(
                [NewAuditEvent(call, settingLimitsOf: holder, from: before?.content, to: content)], now: now)
            return before == nil ? .created(after) : .updated(after)
        }
    }

    public func removeLimits(
        of holder: LimitHolder, version: Int64?, by call: AdminCall
    ) async throws(StoreError) -> SharedLimitsOutcome {
        let now = time.now()
        return try read { state in
            guard let before = state.limits[Key(holder)] else { return .unknown }
            if let version, version != before.version { return .outdated }
            if case .plan(let name) = holder,
                state.rows.values.contains(where: { $0.attributes.plan == name && $0.deactivatedAt == nil })
            {
                return .inUse
            }
            state.limits[Key(holder)] = nil
            state.trail.append(
                [NewAuditEvent(call, settingLimitsOf: holder, from: before.content, to: nil)], now: now)
            return .removed
        }
    }

    /// Returns full limits: no instance reports to this store.
    public func levels(of limits: [(id: LimitID, rule: LimitRule)]) async throws(StoreError) -> [LimitLevel] {
        limits.map { limit in
            LimitLevel(used: 0, reset: limit.rule.kind == .concurrent ? nil : .zero)
        }
    }

    public func reset(
        _ level: LimitID, of rule: LimitRule, for key: KeyID, by call: AdminCall
    ) async throws(StoreError) -> ChangedKey? {
        let now = time.now()
        return try read { state in
            guard var row = state.row(key, for: call) else { return nil }
            state.keep(&row, now: now)
            var changes = AuditChanges()
            changes.set("limit", to: .string(rule.name))
            state.trail.append(
                [
                    NewAuditEvent(
                        call, .keyResetLimit, subject: key, owner: row.attributes.owner, changes: changes)
                ], now: now)
            return ChangedKey(key: Self.authKey(row, now: now), entries: Self.entries(row))
        }
    }

    public func changeCredits(
        of key: KeyID, _ change: CreditChange, claim: IdempotencyClaim?, by call: AdminCall
    ) async throws(StoreError) -> CreditOutcome {
        let now = time.now()
        return try read { state in
            guard var row = state.row(key, for: call) else { return .unknown }
            guard let before = row.attributes.credits else { return .without }
            if let claim, let earlier = state.claims[claim.key] {
                return earlier.request == claim.request ? .replayed(Self.authKey(row, now: now)) : .claimedOtherwise
            }
            let units =
                switch change {
                case .add(let units): min(LimitRule.unitLimit, before.remaining + units)
                case .subtract(let units): max(0, before.remaining - units)
                case .set(let units): units
                }
            row.attributes.credits = KeyCredits(remaining: units, refill: before.refill)
            state.keep(&row, now: now)
            if let claim { state.claims[claim.key] = (claim.request, key) }
            var changes = AuditChanges()
            changes.set("credits", from: before.json, to: row.attributes.credits?.json ?? .null)
            state.trail.append(
                [
                    NewAuditEvent(
                        call, .keyChangeCredits, subject: key, owner: row.attributes.owner, changes: changes)
                ], now: now)
            return .changed(ChangedKey(key: Self.authKey(row, now: now), entries: Self.entries(row)))
        }
    }

    /// A holder by its bytes, as PostgreSQL compares them: Swift takes canonically equivalent texts for one.
    struct Key: Hashable {
        private let isPlan: Bool
        private let name: [UInt8]

        init(_ holder: LimitHolder) {
            isPlan = if case .plan = holder { true } else { false }
            name = Array(holder.name.utf8)
        }
    }
}
