/// The limits of plans and owners, as of one read. It is replaced as a whole.
final class PlanTable: Sendable {
    struct Plan: Sendable {
        let name: String
        /// `LimitBytes`
        let limits: [UInt8]
        /// False if the plan is unreadable.
        let isValid: Bool
    }

    private let plans: [PlanID: Plan]
    let owners: OwnerLimits

    static let empty = PlanTable(LimitDefinitions())

    init(_ definitions: LimitDefinitions) {
        var plans: [PlanID: Plan] = [:]
        for plan in definitions.plans {
            var limits: [UInt8] = []
            LimitBytes.append(plan.limits ?? [], to: &limits) { _ in false }
            plans[PlanID(plan.holder)] = Plan(name: plan.holder, limits: limits, isValid: plan.limits != nil)
        }
        self.plans = plans
        owners = OwnerLimits(definitions.owners)
    }

    subscript(id: PlanID) -> Plan? { plans[id] }
}
