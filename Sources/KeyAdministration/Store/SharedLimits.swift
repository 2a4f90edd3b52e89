public import AuthKeys

/// The holder of limits that several keys have.
public enum LimitHolder: Sendable, Hashable {
    /// A plan by its name. Each of its keys has levels of its own.
    case plan(String)
    /// An owner. Its keys share the levels.
    case owner(String)

    /// The name of the plan, or the owner.
    public var name: String {
        switch self {
        case .plan(let name): name
        case .owner(let owner): owner
        }
    }

    /// The maximum number of limits.
    public var countLimit: Int {
        switch self {
        case .plan: LimitRule.countLimit
        case .owner: FieldRules.ownerLimitsLimit
        }
    }
}

/// Limits that several keys have.
public struct SharedLimits: Sendable, Equatable {
    public let holder: LimitHolder
    public let content: Content
    public let createdAt: Timestamp
    public let updatedAt: Timestamp
    /// Incremented by each change; starts at 1.
    public let version: Int64

    /// The part that admins set.
    public struct Content: Sendable, Equatable {
        /// Free text; empty for none.
        public var description: String
        public var limits: [LimitRule]

        public init(description: String = "", limits: [LimitRule]) {
            self.description = description
            self.limits = limits
        }
    }

    public init(
        holder: LimitHolder, content: Content, createdAt: Timestamp, updatedAt: Timestamp, version: Int64
    ) {
        self.holder = holder
        self.content = content
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.version = version
    }
}

/// The outcome of a change of limits that several keys have.
public enum SharedLimitsOutcome: Sendable, Equatable {
    case created(SharedLimits)
    case updated(SharedLimits)
    case removed
    case unknown
    /// The limits have another version than the caller expected, or do not exist.
    case outdated
    /// Keys name the plan.
    case inUse
}

/// The level of a limit.
public struct LimitLevel: Sendable, Equatable {
    /// The units that are taken and not back yet, or under way. Leases of other instances count as taken.
    public let used: Double
    /// The time until all units are back; nil for a concurrency limit.
    public let reset: Duration?

    public init(used: Double, reset: Duration?) {
        self.used = used
        self.reset = reset
    }

    /// Returns the level after units are added, or removed if they are negative.
    func adding(_ units: Double, of rule: LimitRule) -> LimitLevel {
        let sum = max(0, used + units)
        guard case .rate(let period, _) = rule.kind else { return LimitLevel(used: sum, reset: reset) }
        return LimitLevel(used: sum, reset: period * (sum / Double(rule.limit)))
    }
}

/// A change of what is left of a key's credits.
public enum CreditChange: Sendable, Equatable {
    case add(Int64)
    /// At most as many units as there are.
    case subtract(Int64)
    case set(Int64)
}

/// The outcome of a change of a key's credits.
public enum CreditOutcome: Sendable, Equatable {
    case changed(ChangedKey)
    /// The same claim carried this change out before; the key as it is now.
    case replayed(AuthKey)
    case claimedOtherwise
    case unknown
    /// The key has no credits.
    case without
}

/// A store of limits that several keys have, of levels and of credits. Each change writes its audit event in its own
/// transaction.
public protocol SharedLimitStore: Sendable {
    /// Returns all plans by name.
    func plans() async throws(StoreError) -> [SharedLimits]

    /// Returns the limits of a plan or an owner; nil if there are none.
    func limits(of holder: LimitHolder) async throws(StoreError) -> SharedLimits?

    /// Creates or replaces the limits of a plan or an owner. If they are equal, nothing is written and the version
    /// stays.
    /// - Parameter version: the version that the caller has seen; nil for any, and for new limits.
    func setLimits(
        of holder: LimitHolder, version: Int64?, to content: SharedLimits.Content, by call: AdminCall
    ) async throws(StoreError) -> SharedLimitsOutcome

    /// Removes the limits of a plan or an owner. A plan that active keys name stays.
    func removeLimits(
        of holder: LimitHolder, version: Int64?, by call: AdminCall
    ) async throws(StoreError) -> SharedLimitsOutcome

    /// Returns the levels of limits, in their order.
    func levels(of limits: [(id: LimitID, rule: LimitRule)]) async throws(StoreError) -> [LimitLevel]

    /// Gives a key back all units of one of its limits, and raises the version of the key, so that instances learn it.
    /// - Returns: nil if there is no such key.
    func reset(_ level: LimitID, of rule: LimitRule, for key: KeyID, by call: AdminCall) async throws(StoreError)
        -> ChangedKey?

    /// Changes what is left of a key's credits. At most one change is ever carried out for a claim.
    func changeCredits(
        of key: KeyID, _ change: CreditChange, claim: IdempotencyClaim?, by call: AdminCall
    ) async throws(StoreError) -> CreditOutcome
}
