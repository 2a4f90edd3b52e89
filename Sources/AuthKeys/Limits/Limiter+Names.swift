extension Limiter {
    /// Returns true if a plan or an owner has a limit of this name.
    func defines(_ name: [UInt8], plan: PlanID?, owner: UnsafeRawBufferPointer) -> Bool {
        var isDefined = false
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        withLimits(of: KeyID(high: 0, low: 0), plan: plan, own: none, owner: owner) { limits, _ in
            limits.visit { limit, _, _ in isDefined = isDefined || limit.name.elementsEqual(name) }
        }
        return isDefined
    }
}
