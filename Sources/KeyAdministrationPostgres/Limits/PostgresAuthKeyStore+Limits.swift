public import AuthKeys
import AuthKeysPostgres
public import KeyAdministration
import LibPQ

extension PostgresAuthKeyStore {
    public func plans() async throws(StoreError) -> [SharedLimits] {
        try await attempt {
            try await self.pool.query(SharedLimitSQL(.plan("")).all).rows.map { row in
                try row.read { row throws(PostgresError) in try SharedLimits(row: &row) { .plan($0) } }
            }
        }
    }

    public func limits(of holder: LimitHolder) async throws(StoreError) -> SharedLimits? {
        try await attempt {
            try Self.limits(
                in: try await self.pool.query(SharedLimitSQL(holder).one, [.text(holder.name)]), of: holder)
        }
    }

    private static func limits(in result: PostgresResult, of holder: LimitHolder) throws -> SharedLimits? {
        try result.rows.first?.read { row throws(PostgresError) in try SharedLimits(row: &row) { _ in holder } }
    }

    public func setLimits(
        of holder: LimitHolder, version: Int64?, to content: SharedLimits.Content, by call: AdminCall
    ) async throws(StoreError) -> SharedLimitsOutcome {
        let outcome = try await change {
            try await self.pool.transaction { transaction -> SharedLimitsOutcome in
                let sql = SharedLimitSQL(holder)
                let name = PostgresParameter.text(holder.name)
                let before = try Self.limits(in: try await transaction.query(sql.hold, [name]), of: holder)
                if let version, version != before?.version { return .outdated }
                if let before, before.content == content { return .updated(before) }
                let results = try await transaction.pipeline([
                    PostgresStatement(
                        before == nil ? sql.insert : sql.update,
                        [name, .text(content.description), .jsonb(LimitRule.json(content.limits).text)]),
                    AuditSQL.append([NewAuditEvent(call, settingLimitsOf: holder, from: before?.content, to: content)]),
                ])
                guard let after = try results.first.flatMap({ try Self.limits(in: $0, of: holder) }) else {
                    throw StoreError(.failed, detail: "no row for changed limits")
                }
                return before == nil ? .created(after) : .updated(after)
            }
        }
        notifyChange()
        return outcome
    }

    public func removeLimits(
        of holder: LimitHolder, version: Int64?, by call: AdminCall
    ) async throws(StoreError) -> SharedLimitsOutcome {
        let outcome = try await change {
            try await self.pool.transaction { transaction -> SharedLimitsOutcome in
                let sql = SharedLimitSQL(holder)
                let name = PostgresParameter.text(holder.name)
                guard let before = try Self.limits(in: try await transaction.query(sql.hold, [name]), of: holder)
                else { return .unknown }
                if let version, version != before.version { return .outdated }
                if case .plan = holder,
                    try await transaction.query(SharedLimitSQL.isUsed, [name]).rows.first?.bool(0) == true
                {
                    return .inUse
                }
                _ = try await transaction.pipeline([
                    PostgresStatement(sql.delete, [name]),
                    AuditSQL.append([NewAuditEvent(call, settingLimitsOf: holder, from: before.content, to: nil)]),
                ])
                return .removed
            }
        }
        notifyChange()
        return outcome
    }

    public func levels(of limits: [(id: LimitID, rule: LimitRule)]) async throws(StoreError) -> [LimitLevel] {
        if limits.isEmpty { return [] }
        return try await attempt {
            let rates = limits.map { $0.rule.unitsPerSecond }
            let rows = try await self.pool.query(
                SharedLimitSQL.levels,
                [
                    .uuidArray(limits.map { PostgresUUID(high: $0.id.high, low: $0.id.low) }),
                    .textArray(limits.map { $0.rule.kindName }), .doubleArray(rates),
                    .textArray(limits.map { $0.rule.calendarPeriod?.name }),
                ]
            ).rows
            return try zip(rows, rates).map { row, rate in
                try row.read { row throws(PostgresError) in
                    let (used, ends) = (try row.nextDouble(), try row.nextOptionalDouble())
                    return LimitLevel(used: used, reset: (ends ?? rate.map { used / $0 }).map { .seconds($0) })
                }
            }
        }
    }

    public func reset(
        _ level: LimitID, of rule: LimitRule, for key: KeyID, by call: AdminCall
    ) async throws(StoreError) -> ChangedKey? {
        let changed = try await change {
            try await self.pool.transaction { transaction -> ChangedKey? in
                guard let held = try await Self.hold(key, for: call.admin, in: transaction) else { return nil }
                var changes = AuditChanges()
                changes.set("limit", to: .string(rule.name))
                _ = try await transaction.pipeline([
                    PostgresStatement(SharedLimitSQL.stamp, [.uuid(PostgresUUID(key))]),
                    PostgresStatement(
                        SharedLimitSQL.reset(rule.kind), [.uuid(PostgresUUID(high: level.high, low: level.low))]),
                    AuditSQL.append([NewAuditEvent(call, .keyResetLimit, of: held, changes)]),
                ])
                return try await Self.changed(key, in: transaction)
            }
        }
        notifyChange()
        return changed
    }

    public func changeCredits(
        of key: KeyID, _ change: CreditChange, claim: IdempotencyClaim?, by call: AdminCall
    ) async throws(StoreError) -> CreditOutcome {
        let outcome = try await self.change {
            try await self.pool.transaction { transaction -> CreditOutcome in
                guard let held = try await Self.hold(key, for: call.admin, in: transaction) else { return .unknown }
                guard let before = held.credits else { return .without }
                if let claim {
                    switch try await Self.acquire(claim, for: key, rotation: nil, in: transaction) {
                    case .acquired: break
                    case .replayed: return .replayed(held)
                    case .claimedOtherwise: return .claimedOtherwise
                    }
                }
                let (adds, units): (Bool, Int64) =
                    switch change {
                    case .add(let units): (true, units)
                    case .subtract(let units): (true, -units)
                    case .set(let units): (false, units)
                    }
                let id = PostgresParameter.uuid(PostgresUUID(key))
                _ = try await transaction.pipeline([
                    PostgresStatement(SharedLimitSQL.stamp, [id]),
                    PostgresStatement(SharedLimitSQL.changeCredits, [id, .bool(adds), .int64(units)]),
                ])
                let changed = try await Self.changed(key, in: transaction)
                var changes = AuditChanges()
                changes.set("credits", from: before.json, to: changed.key.credits?.json ?? .null)
                _ = try await transaction.pipeline([
                    AuditSQL.append([NewAuditEvent(call, .keyChangeCredits, of: held, changes)])
                ])
                return .changed(changed)
            }
        }
        if case .changed = outcome { notifyChange() }
        return outcome
    }
}

extension LimitRule {
    fileprivate var kindName: String {
        switch kind {
        case .rate: "rate"
        case .quota: "quota"
        case .concurrent: "concurrent"
        }
    }

    fileprivate var calendarPeriod: CalendarPeriod? {
        if case .quota(let period) = kind { period } else { nil }
    }

    /// Nil unless the limit is a rate.
    fileprivate var unitsPerSecond: Double? {
        if case .rate(let period, _) = kind { Double(limit) / (period / .seconds(1)) } else { nil }
    }
}
