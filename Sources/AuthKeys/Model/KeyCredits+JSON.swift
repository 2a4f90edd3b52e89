extension KeyCredits {
    public var json: JSONValue {
        var members: [String: JSONValue] = ["remaining": .integer(remaining)]
        if let refill { members["refill"] = refill.json }
        return .object(members)
    }
}

extension KeyCredits.Refill {
    private static let members = ["amount", "every", "day", "mode", "maximum"]

    fileprivate var json: JSONValue {
        var members: [String: JSONValue] = [
            "amount": .integer(amount), "every": .string(every.name), "mode": .string(adds ? "add" : "set"),
        ]
        if every == .month { members["day"] = .integer(Int64(day)) }
        if let maximum { members["maximum"] = .integer(maximum) }
        return .object(members)
    }

    fileprivate init(json: JSONValue, at param: String) throws(LimitFault) {
        let members = try LimitMembers(json, at: param, names: Self.members)
        let units = 1...LimitRule.unitLimit
        guard let amount = try members.number("amount", in: units) else {
            throw LimitFault(members.path("amount"), "is required")
        }
        let period = try members.text("every").flatMap { CalendarPeriod(name: $0) }
        guard let every = period, every != .hour else {
            throw LimitFault(members.path("every"), "must be day, week or month")
        }
        let mode = try members.text("mode") ?? "set"
        guard ["set", "add"].contains(mode) else { throw LimitFault(members.path("mode"), "must be set or add") }
        let day = try members.number("day", in: 1...31)
        guard day == nil || every == .month else {
            throw LimitFault(members.path("day"), "is accepted with month only")
        }
        let maximum = try members.number("maximum", in: units)
        guard maximum == nil || mode == "add" else {
            throw LimitFault(members.path("maximum"), "is accepted with the mode add only")
        }
        guard
            let refill = KeyCredits.Refill(
                amount, every: every, day: Int16(clamping: day ?? 1), adds: mode == "add", maximum: maximum)
        else { throw LimitFault(param, "is not a refill") }
        self = refill
    }
}

extension CreditsPatch {
    /// Reads the member `credits` of a body.
    public init(json: JSONValue, at param: String = "credits") throws(LimitFault) {
        let members = try LimitMembers(json, at: param, names: ["remaining", "refill"])
        self.init(remaining: try members.number("remaining", in: 0...LimitRule.unitLimit))
        guard case .object(let given) = json, !given.isEmpty else {
            throw LimitFault(param, "needs remaining or refill")
        }
        if let refill = members.value("refill") {
            self.refill = .set(try KeyCredits.Refill(json: refill, at: members.path("refill")))
        } else if given["refill"] != nil {
            self.refill = .cleared
        }
    }
}
