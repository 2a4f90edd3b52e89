import AuthKeys
import HTTPCredentials

/// The body of `keys.verifyKey`. `tags` feed statistics of Unkey that Keyward lacks, and have no effect.
struct UnkeyVerifyBody: Decodable {
    let request: IncomingRequest

    enum CodingKeys: String, CodingKey, CaseIterable {
        case key, tags, permissions, credits, keyspaces, ratelimits
        case migrationID = "migrationId"
    }

    private struct Credits: Decodable {
        let cost: Int64

        enum CodingKeys: CodingKey, CaseIterable {
            case cost
        }

        init(from decoder: any Decoder) throws {
            try decoder.refuseMembers(beyond: CodingKeys.self)
            cost = try decoder.container(keyedBy: CodingKeys.self).decode(Int64.self, forKey: .cost)
        }
    }

    /// A limit of the key that the request names, or with `limit` and `duration` one that it defines itself.
    private struct Ratelimit: Decodable {
        let asked: Spending.Asked

        enum CodingKeys: CodingKey, CaseIterable {
            case name, cost, limit, duration
        }

        init(from decoder: any Decoder) throws {
            let members = try UnkeyMembers(decoder, CodingKeys.self)
            let name = try members.limitName(.name)
            let cost = try members.container.wholeNumber(forKey: .cost) ?? 1
            let limit = try members.container.wholeNumber(forKey: .limit)
            let duration = try members.container.wholeNumber(forKey: .duration)
            let units = LimitRule.unitLimit
            guard (0...units).contains(cost) else { throw members.fault(at: .cost, "must be 0 to \(units)") }
            guard limit != nil || duration != nil else {
                guard let asked = Spending.Asked(name, cost: cost) else { throw members.fault(at: .name, "is invalid") }
                self.asked = asked
                return
            }
            guard let limit, (1...units).contains(limit) else {
                throw members.fault(at: .limit, "must be 1 to \(units), together with duration")
            }
            guard let rule = duration.flatMap({ Self.rule(name, limit, milliseconds: $0) }),
                let asked = Spending.Asked(rule, cost: cost)
            else { throw members.fault(at: .duration, "must be 1000 to 3600000 milliseconds, together with limit") }
            self.asked = asked
        }

        private static func rule(_ name: String, _ limit: Int64, milliseconds: Int64) -> LimitRule? {
            LimitRule(name, .rate(period: .milliseconds(milliseconds), burst: limit), limit: limit, isAsked: true)
        }
    }

    init(from decoder: any Decoder) throws {
        let members = try UnkeyMembers(decoder, CodingKeys.self)
        try members.refuse(.keyspaces, "Keyward has no keyspaces")
        try members.refuse(.migrationID, "keys are imported at \(ImportRoute.path)")
        let credits = try members.value(.credits, Credits.self)?.cost
        let asked = try members.value(.ratelimits, [Ratelimit].self)?.map(\.asked) ?? []
        _ = try members.value(.tags, [String].self)
        let key = try members.text(.key)
        let needed = try members.value(.permissions).map { try UnkeyPermissionQuery.scopes($0) }
        let spending: Spending
        do throws(DescribedRequest.Fault) {
            spending = try DescribedRequest.spending(credits: credits, limits: asked)
        } catch {
            throw UnkeyMembers.fault(error.part == .cost ? CodingKeys.credits : .ratelimits, error.reason)
        }
        request = IncomingRequest(
            credential: .token(key), scopes: needed ?? ScopeRequirement.none, spending: spending)
    }
}

/// The body of `keys.whoami`.
struct UnkeyWhoamiBody: Decodable {
    let key: String

    enum CodingKeys: CodingKey, CaseIterable {
        case key
    }

    init(from decoder: any Decoder) throws {
        key = try UnkeyMembers(decoder, CodingKeys.self).text(.key)
    }
}
