import AuthKeys
import KeyAdministration

/// A rate limit of a key in a body of Unkey's API.
struct UnkeyRatelimitBody: Decodable {
    let rule: LimitRule

    enum CodingKeys: CodingKey, CaseIterable {
        case name, limit, duration, autoApply
    }

    init(from decoder: any Decoder) throws {
        let members = try UnkeyMembers(decoder, CodingKeys.self)
        let name = try members.limitName(.name)
        let units = 1...LimitRule.unitLimit
        guard let limit = try members.container.wholeNumber(forKey: .limit), units.contains(limit) else {
            throw members.fault(at: .limit, "must be 1 to \(units.upperBound)")
        }
        let duration = try members.container.wholeNumber(forKey: .duration)
        let isAsked = try members.value(.autoApply, Bool.self) != true
        guard let kind = duration.flatMap({ LimitRule.Kind(unkeyDuration: $0, limit: limit) }),
            let rule = LimitRule(name, kind, limit: limit, isAsked: isAsked)
        else {
            throw members.fault(
                at: .duration, "must be 1000 to 3600000 milliseconds, or 86400000 (a day) or 604800000 (a week)")
        }
        self.rule = rule
    }
}

extension LimitRule.Kind {
    private static let quotas: [(milliseconds: Int64, period: CalendarPeriod)] = [
        (86_400_000, .day), (604_800_000, .week),
    ]

    /// Returns the kind of a rate limit of Unkey: a rate, or the quota of a day or a week. Nil for another duration.
    fileprivate init?(unkeyDuration milliseconds: Int64, limit: Int64) {
        if let quota = Self.quotas.first(where: { $0.milliseconds == milliseconds }) {
            self = .quota(quota.period)
        } else {
            let period = Duration.milliseconds(milliseconds)
            guard LimitRule.periods.contains(period) else { return nil }
            self = .rate(period: period, burst: limit)
        }
    }

    /// The duration in milliseconds; nil for a kind that Unkey lacks.
    fileprivate func unkeyDuration(limit: Int64) -> Int64? {
        switch self {
        case .rate(let period, let burst): burst == limit ? period.microseconds / 1_000 : nil
        case .quota(let period): Self.quotas.first { $0.period == period }?.milliseconds
        case .concurrent: nil
        }
    }
}

extension LimitRule {
    /// The duration in milliseconds; nil for a limit that Unkey lacks: of requests under way, with a burst of its own,
    /// with patterns, or with another calendar period.
    var unkeyDuration: Int64? { match.isEmpty ? kind.unkeyDuration(limit: limit) : nil }
}

/// The credits of a key in a body of Unkey's API.
struct UnkeyCreditsBody: Decodable, Equatable {
    /// The credits that are left; cleared for an unlimited number.
    private let remaining: KeyPatch.Change<Int64>
    private let refill: KeyPatch.Change<Refill>

    enum CodingKeys: CodingKey, CaseIterable {
        case remaining, refill
    }

    init(from decoder: any Decoder) throws {
        let members = try UnkeyMembers(decoder, CodingKeys.self)
        let units = try members.container.wholeNumber(forKey: .remaining)
        func fault(_ reason: String) -> APIError {
            let param = decoder.member(CodingKeys.remaining)
            return .validation("\(param): remaining \(reason)", param: param)
        }
        if let units, !(0...LimitRule.unitLimit).contains(units) { throw fault("must be 0 to \(LimitRule.unitLimit)") }
        remaining = units.map { .set($0) } ?? (members.has(.remaining) ? .cleared : .unchanged)
        refill = try members.container.change(of: .refill)
        if remaining == .cleared, case .set = refill { throw fault("must not be null together with a refill") }
    }

    /// The credits of a new key; nil for an unlimited number.
    var credits: KeyCredits? {
        var attributes = KeyAttributes(name: "")
        apply(to: &attributes)
        return attributes.credits
    }

    /// Applies the change to the attributes of a key.
    func apply(to attributes: inout KeyAttributes) {
        if remaining == .cleared {
            attributes.credits = nil
            return
        }
        var patch = CreditsPatch()
        if case .set(let units) = remaining { patch.remaining = units }
        switch refill {
        case .unchanged: break
        case .cleared: patch.refill = .cleared
        case .set(let refill): patch.refill = .set(refill.refill)
        }
        // Without credits, there is no refill to clear.
        if attributes.credits == nil, patch.remaining == nil, refill == .unchanged || refill == .cleared { return }
        var change = KeyPatch()
        change.credits = .set(patch)
        attributes = change.applied(to: attributes)
    }

    /// A refill, at the beginning of each day or on a day of each month (UTC), to its amount.
    private struct Refill: Decodable, Equatable {
        let refill: KeyCredits.Refill

        enum CodingKeys: CodingKey, CaseIterable {
            case interval, amount, refillDay
        }

        init(from decoder: any Decoder) throws {
            let members = try UnkeyMembers(decoder, CodingKeys.self)
            func fault(_ name: CodingKeys, _ reason: String) -> APIError {
                .validation(
                    "\(decoder.member(name)): refill.\(name.stringValue) \(reason)", param: decoder.member(name))
            }
            let interval = try members.value(.interval, String.self).flatMap { UnkeyRefillInterval(rawValue: $0) }
            guard let interval else { throw fault(.interval, "must be daily or monthly") }
            let units = 1...LimitRule.unitLimit
            guard let amount = try members.container.wholeNumber(forKey: .amount), units.contains(amount) else {
                throw fault(.amount, "must be 1 to \(units.upperBound)")
            }
            let day = try members.container.wholeNumber(forKey: .refillDay)
            guard day == nil || interval == .monthly else { throw fault(.refillDay, "needs the interval monthly") }
            guard
                let refill = KeyCredits.Refill(
                    amount, every: interval.period, day: Int16(clamping: day ?? 1))
            else { throw fault(.refillDay, "must be 1 to 31") }
            self.refill = refill
        }
    }
}

/// The intervals of Unkey's refills.
enum UnkeyRefillInterval: String, Codable {
    case daily, monthly

    var period: CalendarPeriod { self == .daily ? .day : .month }

    /// Returns nil for a period that Unkey lacks.
    init?(_ period: CalendarPeriod) {
        switch period {
        case .day: self = .daily
        case .month: self = .monthly
        case .hour, .week: return nil
        }
    }
}

/// The body of `keys.updateCredits`.
struct UnkeyCreditsChangeBody: Decodable {
    enum Change: Equatable {
        case unlimited
        case some(CreditChange)
    }

    let keyID: String
    let change: Change

    enum CodingKeys: String, CodingKey, CaseIterable {
        case value, operation
        case keyID = "keyId"
    }

    init(from decoder: any Decoder) throws {
        let members = try UnkeyMembers(decoder, CodingKeys.self)
        keyID = try members.text(.keyID)
        let operation = try members.text(.operation)
        let value = try members.container.wholeNumber(forKey: .value)
        let units = 0...LimitRule.unitLimit
        guard value.map(units.contains) ?? true else {
            throw UnkeyMembers.fault(CodingKeys.value, "must be 0 to \(units.upperBound)")
        }
        switch (operation, value) {
        case ("set", nil): change = .unlimited
        case ("set", let units?): change = .some(.set(units))
        case ("increment", let units?): change = .some(.add(units))
        case ("decrement", let units?): change = .some(.subtract(units))
        case ("increment", nil), ("decrement", nil):
            throw UnkeyMembers.fault(CodingKeys.value, "is required for \(operation)")
        default: throw UnkeyMembers.fault(CodingKeys.operation, "must be set, increment or decrement")
        }
    }
}
