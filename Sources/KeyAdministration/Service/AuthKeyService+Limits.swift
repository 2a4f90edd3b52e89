public import AuthKeys

/// A limit that applies to a key, with its level.
public struct KeyLimit: Sendable, Equatable {
    public let rule: LimitRule
    /// The plan or the owner that has the limit; nil for the key itself.
    public let holder: LimitHolder?
    public let level: LimitLevel

    public init(rule: LimitRule, holder: LimitHolder?, level: LimitLevel) {
        self.rule = rule
        self.holder = holder
        self.level = level
    }
}

extension AuthKeyService {
    /// Returns all plans by name.
    public func plans() async throws(AuthKeyError) -> [SharedLimits] {
        try await ask(await store.plans())
    }

    /// Returns the limits of a plan or an owner; nil if there are none.
    /// - Throws: `.otherOwner` for an owner that the admin may not see.
    public func limits(of holder: LimitHolder, for admin: Admin) async throws(AuthKeyError) -> SharedLimits? {
        let holder = try Self.checked(holder)
        if case .owner(let owner) = holder { try Self.check(owner, isOf: admin) }
        return try await ask(await store.limits(of: holder))
    }

    /// Creates or replaces the limits of a plan or an owner.
    /// - Parameter version: the version that the caller has seen; nil for any, and for new limits.
    /// - Returns: the limits, and true if there were none.
    public func setLimits(
        of holder: LimitHolder, version: Int64?, to content: SharedLimits.Content, by call: AdminCall
    ) async throws(AuthKeyError) -> (limits: SharedLimits, isNew: Bool) {
        let holder = try Self.changeable(holder, by: call.admin)
        var content = content
        content.description = try FieldRules.description(content.description)
        try FieldRules.limits(content.limits, upTo: holder.countLimit)
        let wanted = content
        let outcome = try await ask(await store.setLimits(of: holder, version: version, to: wanted, by: call))
        await applyDefinitions()
        switch outcome {
        case .created(let limits): return (limits, true)
        case .updated(let limits): return (limits, false)
        case .outdated, .removed, .inUse, .unknown: throw .outdated
        }
    }

    /// Removes the limits of a plan or an owner.
    public func removeLimits(
        of holder: LimitHolder, version: Int64?, by call: AdminCall
    ) async throws(AuthKeyError) {
        let holder = try Self.changeable(holder, by: call.admin)
        let outcome = try await ask(await store.removeLimits(of: holder, version: version, by: call))
        await applyDefinitions()
        switch outcome {
        case .removed, .created, .updated: return
        case .unknown: throw .notFound(id: holder.name)
        case .outdated: throw .outdated
        case .inUse: throw .conflict(.planInUse)
        }
    }

    /// Applies changed limits of plans and owners to this instance, so that they hold for its next request. Other
    /// instances learn of them as of changed keys.
    private func applyDefinitions() async {
        do throws(StoreError) {
            try await limits?.readDefinitions()
        } catch {
            // The task that follows the definitions reads them again, and logs failures.
            limits?.refreshDefinitions()
        }
    }

    /// Returns the limits that apply to a key, with their levels: as instances reported them, and as this instance
    /// knows.
    public func limits(
        ofKey id: String, for admin: Admin
    ) async throws(AuthKeyError) -> (key: AuthKey, limits: [KeyLimit]) {
        let key = try await key(id, for: admin)
        let found = try await applied(to: key)
        let levels = try await ask(await store.levels(of: found.map { ($0.id, $0.rule) }))
        return (
            key,
            zip(found, levels).map { limit, level in
                let beyondRow = limits?.limiter.beyondRow(limit.id, of: limit.rule) ?? 0
                return KeyLimit(rule: limit.rule, holder: limit.holder, level: level.adding(beyondRow, of: limit.rule))
            }
        )
    }

    /// Gives a key back all units of one of its own limits, or of a limit of its plan.
    public func resetLimit(_ name: String, ofKey id: String, by call: AdminCall) async throws(AuthKeyError) {
        let key = try await key(id, for: call.admin)
        let found = try await applied(to: key).first { $0.rule.name == name && !$0.isShared }
        guard let found else { throw .limitNotFound(name: name) }
        guard found.rule.kind != .concurrent else {
            throw .invalid(param: "name", message: "a limit of requests under way cannot be reset")
        }
        guard let changed = try await ask(await store.reset(found.id, of: found.rule, for: key.id, by: call)) else {
            throw .notFound(id: id)
        }
        limits?.limiter.forgive(found.id)
        for entry in changed.entries { index.apply(entry) }
    }

    /// Changes what is left of a key's credits.
    public func changeCredits(
        ofKey id: String, _ change: CreditChange, idempotencyKey: String?, by call: AdminCall
    ) async throws(AuthKeyError) -> AuthKey {
        guard let keyID = KeyID(id) else { throw .notFound(id: id) }
        try FieldRules.idempotencyKey(idempotencyKey)
        let (name, units, least): (String, Int64, Int64) =
            switch change {
            case .add(let units): ("add", units, 1)
            case .subtract(let units): ("subtract", units, 1)
            case .set(let units): ("set", units, 0)
            }
        guard (least...LimitRule.unitLimit).contains(units) else {
            throw .invalid(
                param: name, message: "\(name) must be a whole number from \(least) to \(LimitRule.unitLimit)")
        }
        let claim = IdempotencyClaim(
            idempotencyKey: idempotencyKey, by: call.admin.actor,
            fields: ["credits", keyID.description, name, "\(units)"])
        let repetition: AuthKeyError.Repetition =
            if case .set = change { .harmless } else { claim == nil ? .duplicating : .sameIdempotencyKey }
        let outcome = try await ask(
            repetition: repetition, await store.changeCredits(of: keyID, change, claim: claim, by: call))
        switch outcome {
        case .changed(let changed):
            for entry in changed.entries { index.apply(entry) }
            return changed.key
        case .replayed(let key): return key
        case .claimedOtherwise: throw .conflict(.idempotencyKeyReused)
        case .unknown: throw .notFound(id: id)
        case .without: throw .conflict(.withoutCredits)
        }
    }

    private typealias Applied = (id: LimitID, rule: LimitRule, holder: LimitHolder?, isShared: Bool)

    /// Returns the limits of a key, of its plan, and of its owner and all owners above it. A limit of the key replaces
    /// the plan's limit of the same name.
    private func applied(to key: AuthKey) async throws(AuthKeyError) -> [Applied] {
        var found = key.limits.map { Applied(.level(of: $0, for: key.id), $0, nil, false) }
        if let plan = key.plan {
            let holder = LimitHolder.plan(plan)
            let limits = try await ask(await store.limits(of: holder))?.content.limits ?? []
            for rule in limits where !key.limits.contains(where: { $0.name == rule.name }) {
                found.append((.level(of: rule, for: key.id), rule, holder, false))
            }
        }
        for owner in OwnerPath.withAncestors(key.owner) {
            let holder = LimitHolder.owner(owner)
            let limits = try await ask(await store.limits(of: holder))?.content.limits ?? []
            found += limits.map { Applied(.level(of: $0, forOwner: owner), $0, holder, true) }
        }
        return found
    }

    /// Returns a holder that the admin may change. Plans concern the keys of all owners.
    private static func changeable(_ holder: LimitHolder, by admin: Admin) throws(AuthKeyError) -> LimitHolder {
        let holder = try checked(holder)
        switch holder {
        case .plan: guard admin.owner == nil else { throw .allOwners }
        case .owner(let owner): try check(owner, isOf: admin)
        }
        return holder
    }

    private static func checked(_ holder: LimitHolder) throws(AuthKeyError) -> LimitHolder {
        switch holder {
        case .plan(let name):
            try FieldRules.plan(name)
            return holder
        case .owner(let owner): return .owner(try FieldRules.owner(owner) ?? "")
        }
    }
}
