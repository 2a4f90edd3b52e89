import Glibc

/// The limits of a key: its own, those of its plan, and those of its owner and of all owners above it. Borrowed for the
/// duration of a call.
struct ApplicableLimits {
    private let key: LimitID
    private let own: UnsafeRawBufferPointer
    private let plan: UnsafeRawBufferPointer
    private let owner: UnsafeRawBufferPointer
    private let owners: OwnerLimits

    /// - Parameters:
    ///   - own, plan: `LimitBytes`
    ///   - owners: the limits of all owners.
    init(
        key: KeyID, own: UnsafeRawBufferPointer, plan: UnsafeRawBufferPointer, owner: UnsafeRawBufferPointer,
        owners: OwnerLimits
    ) {
        self.key = LimitID(key)
        self.own = own
        self.plan = plan
        self.owner = owner
        self.owners = owners
    }

    /// The maximum number of limits.
    var count: Int {
        var count = Int(own.first ?? 0) + Int(plan.first ?? 0)
        owners.withEntries(of: owner) { count += Int($0.limits.first ?? 0) }
        return count
    }

    /// Calls `body` with each limit, the identifier of its level, and true if other keys share the level. A limit of
    /// the key replaces the plan's limit of the same name.
    @inline(__always)
    func visit(_ body: (LimitView, LimitID, Bool) -> Void) {
        LimitBytes.forEach(in: own) { body($0, key ^ $0.id, false) }
        if !plan.isEmpty { visitPlan { body($0, key ^ $0.id, false) } }
        owners.withEntries(of: owner) { entry in
            entry.limits.withUnsafeBytes { limits in
                _ = LimitBytes.forEach(in: limits) { body($0, entry.id ^ $0.id, true) }
            }
        }
    }

    private func visitPlan(_ body: (LimitView) -> Void) {
        LimitBytes.forEach(in: plan) { limit in
            var isReplaced = false
            LimitBytes.forEach(in: own) { isReplaced = isReplaced || Self.areEqual($0.name, limit.name) }
            if !isReplaced { body(limit) }
        }
    }

    @inline(__always)
    static func areEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        guard left.count == right.count, let one = left.baseAddress, let other = right.baseAddress else {
            return left.count == right.count
        }
        return memcmp(one, other, left.count) == 0
    }
}

extension Spending {
    /// Returns the units that the request takes from a limit; nil if the limit does not apply to it. The cost that the
    /// caller names for a limit replaces the request's.
    @inline(__always)
    func cost(of limit: LimitView) -> Int64? {
        if !asked.isEmpty {
            let name = limit.name
            for asked in asked where asked.name.withUnsafeBytes({ ApplicableLimits.areEqual($0, name) }) {
                return asked.cost
            }
        }
        return limit.isAsked ? nil : cost
    }
}
