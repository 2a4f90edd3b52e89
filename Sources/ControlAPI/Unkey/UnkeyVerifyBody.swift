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
        let cost: Int

        enum CodingKeys: CodingKey, CaseIterable {
            case cost
        }

        init(from decoder: any Decoder) throws {
            try decoder.refuseMembers(beyond: CodingKeys.self)
            cost = try decoder.container(keyedBy: CodingKeys.self).decode(Int.self, forKey: .cost)
        }
    }

    init(from decoder: any Decoder) throws {
        let members = try UnkeyMembers(decoder, CodingKeys.self)
        try members.refuse(.keyspaces, "Keyward has no keyspaces")
        try members.refuse(.ratelimits, "Keyward has no rate limits")
        try members.refuse(.migrationID, "keys are imported at \(ImportRoute.path)")
        if let credits = try members.value(.credits, Credits.self), credits.cost != 0 {
            throw UnkeyMembers.fault(CodingKeys.credits, "is not supported with a cost: Keyward has no credits")
        }
        _ = try members.value(.tags, [String].self)
        let key = try members.text(.key)
        let needed = try members.value(.permissions).map { try UnkeyPermissionQuery.scopes($0) }
        request = IncomingRequest(credential: .token(key), scopes: needed ?? ScopeRequirement.none)
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
