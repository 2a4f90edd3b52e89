/// The shared state of limits, credits and slots, and the definitions of plans and owner limits.
///
/// Instances use only differences of the store's time, so their clocks do not matter.
public protocol LimitStore: Sendable {
    /// Reports units and leases others, for at most `LimitQuestion.countLimit` limits with ascending identifiers.
    ///
    /// All questions take effect or none does. The answers are in any order. A limit without a row has no answer, and
    /// its next question has `isKnown` false.
    func settle(_ questions: [LimitQuestion]) async throws(StoreError) -> [LimitAnswer]
    /// Leases credits, or gives leased ones back. A due refill takes place first.
    func leaseCredits(_ questions: [CreditQuestion]) async throws(StoreError) -> [CreditAnswer]
    /// Renews the slots of an instance in concurrency limits. They become void unless renewed within 10 s.
    func renewSlots(_ questions: [SlotQuestion], of instance: KeyID) async throws(StoreError) -> [SlotAnswer]
    /// Returns all plans and all owner limits.
    /// - Parameter known: the revision that the caller knows; nil to read them in any case.
    /// - Returns: nil if they still have that revision.
    func definitions(unless known: KeyID?) async throws(StoreError) -> LimitDefinitions?
    /// Removes the rows of limits that are full.
    func prune() async throws(StoreError)
}

/// The table that holds a level. Rates begin full after a crash of the database; quotas survive it.
public enum LevelKind: UInt8, Sendable {
    case rate, quota
}

/// A report of one instance about a limit, and its request for units.
public struct LimitQuestion: Sendable, Equatable {
    /// The maximum number of questions in a call.
    public static let countLimit = 200

    public let id: LimitID
    /// Nil for a rate.
    public let period: CalendarPeriod?
    /// Units per second. For a quota: the limit divided by the period.
    public let rate: Double
    /// The maximum number of units at once; the limit of a quota.
    public let burst: Double
    /// The time constant, in seconds, with which demand leaks.
    public let tau: Double
    /// The units that were taken beyond the lease since the previous question.
    public let debit: Double
    /// The units to lease. Negative for leased units that are given back.
    public let want: Double
    /// The units that requests asked for since the previous question, refused ones included.
    public let asked: Double
    /// The leaking sum of what requests of this instance asked for.
    public let demand: Double
    /// False if the row may not exist yet.
    public let isKnown: Bool

    public init(
        id: LimitID, period: CalendarPeriod?, rate: Double, burst: Double, tau: Double, debit: Double, want: Double,
        asked: Double, demand: Double, isKnown: Bool
    ) {
        self.id = id
        self.period = period
        self.rate = rate
        self.burst = burst
        self.tau = tau
        self.debit = debit
        self.want = want
        self.asked = asked
        self.demand = demand
        self.isKnown = isKnown
    }

    public var kind: LevelKind { period == nil ? .rate : .quota }
}

/// The state of a limit after a question.
public struct LimitAnswer: Sendable, Equatable {
    public let id: LimitID
    /// The units leased, which are debited already. Negative for units that were given back.
    public let granted: Double
    /// The units that are left. Below zero if instances overdrew the limit.
    public let available: Double
    /// The part of the demand of all instances that is this instance's, at most 1.
    public let share: Double
    /// The seconds until the calendar period ends; nil for a rate.
    public let periodEnds: Double?

    public init(id: LimitID, granted: Double, available: Double, share: Double, periodEnds: Double?) {
        self.id = id
        self.granted = granted
        self.available = available
        self.share = share
        self.periodEnds = periodEnds
    }
}

/// A report of one instance about the credits of a key, and its request for credits.
public struct CreditQuestion: Sendable, Equatable {
    public let key: KeyID
    /// The credits that were spent beyond the lease.
    public let debit: Int64
    /// The credits to lease. Negative for leased credits that are given back.
    public let want: Int64
    /// The credits that requests wait for, which a lease covers if they are there.
    public let needed: Int64
    /// The part of the remaining credits that one lease may have, besides its minimum.
    public let share: Double

    public init(key: KeyID, debit: Int64, want: Int64, needed: Int64 = 0, share: Double) {
        self.key = key
        self.debit = debit
        self.want = want
        self.needed = needed
        self.share = share
    }
}

/// The credits of a key after a question.
public struct CreditAnswer: Sendable, Equatable {
    public let key: KeyID
    /// The credits leased, which are debited already. Negative for credits that were given back.
    public let granted: Int64
    /// The credits that are left in the row, without leases.
    public let remaining: Int64
    /// The seconds until the next refill; nil without one.
    public let refillsIn: Double?

    public init(key: KeyID, granted: Int64, remaining: Int64, refillsIn: Double?) {
        self.key = key
        self.granted = granted
        self.remaining = remaining
        self.refillsIn = refillsIn
    }
}

/// The slots that an instance wants to hold in a concurrency limit, those in use included.
public struct SlotQuestion: Sendable, Equatable {
    public let id: LimitID
    public let limit: Int64
    /// 0 gives all slots back.
    public let want: Int64

    public init(id: LimitID, limit: Int64, want: Int64) {
        self.id = id
        self.limit = limit
        self.want = want
    }
}

/// The slots that an instance holds in a concurrency limit.
public struct SlotAnswer: Sendable, Equatable {
    public let id: LimitID
    public let granted: Int64
    /// The slots that other instances hold.
    public let others: Int64

    public init(id: LimitID, granted: Int64, others: Int64) {
        self.id = id
        self.granted = granted
        self.others = others
    }
}

/// The limits of all plans by name, and of all owners that have limits.
public struct LimitDefinitions: Sendable, Equatable {
    public let plans: [SharedDefinition]
    public let owners: [SharedDefinition]
    /// A value that differs after each change; nil if the store has none.
    public let revision: KeyID?

    public init(plans: [SharedDefinition] = [], owners: [SharedDefinition] = [], revision: KeyID? = nil) {
        self.plans = plans
        self.owners = owners
        self.revision = revision
    }
}

/// The limits of a plan or an owner.
public struct SharedDefinition: Sendable, Equatable {
    /// The name of the plan, or the path of the owner. Owners differ if their bytes differ (`OwnerPath`).
    public let holder: String
    /// Nil if the row is unreadable. Keys of the plan, or of the owner and those below it, are then refused.
    public let limits: [LimitRule]?

    public init(_ holder: String, limits: [LimitRule]?) {
        self.holder = holder
        self.limits = limits
    }
}
