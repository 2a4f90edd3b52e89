import AuthKeys

/// The attributes of a key, as a JSON merge patch (RFC 7396). Other members are not checked here.
///
/// An empty text or list is refused where it would remove a limit, because an unset variable of a script produces it
/// too. Null removes the limit explicitly.
struct KeyPatchBody: Decodable {
    private(set) var patch = KeyPatch()

    enum CodingKeys: String, CodingKey, CaseIterable {
        case name, description, owner, scopes, labels, metadata, enabled, limits, plan, credits
        case expiresAt = "expires_at"
        case notBefore = "not_before"
        case allowedMethods = "allowed_methods"
        case allowedPaths = "allowed_paths"
        case allowedCIDRs = "allowed_cidrs"
        case reportOnly = "report_only"
        case selfRotation = "self_rotation"
    }

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        func change<Value: Decodable>(_ member: CodingKeys) throws -> KeyPatch.Change<Value> {
            try members.change(of: member)
        }
        patch.name = try change(.name)
        patch.description = try change(.description)
        patch.owner = try change(.owner)
        patch.scopes = try change(.scopes)
        patch.labels = try change(.labels)
        patch.metadata = try change(.metadata)
        patch.enabled = try change(.enabled)
        /// Returns the change of a list of which a request must match one entry. An empty list would match every
        /// request.
        func limit(_ member: CodingKeys) throws -> KeyPatch.Change<[String]> {
            let entries: KeyPatch.Change<[String]> = try change(member)
            guard entries != .set([]) else { throw APIError.empty(member.stringValue) }
            return entries
        }
        patch.expiresAt = Self.moment(try change(.expiresAt))
        patch.notBefore = Self.moment(try change(.notBefore))
        patch.allowedMethods = try limit(.allowedMethods)
        patch.allowedPaths = try limit(.allowedPaths)
        patch.allowedCIDRs = try limit(.allowedCIDRs)
        patch.limits = try members.limits(.limits)
        patch.plan = try change(.plan)
        patch.credits = try members.change(of: .credits) { json throws(LimitFault) in try CreditsPatch(json: json) }
        patch.reportOnly = try change(.reportOnly)
        patch.selfRotation = try change(.selfRotation)
    }

    static func moment(_ change: KeyPatch.Change<Moment>) -> KeyPatch.Change<Timestamp> {
        switch change {
        case .unchanged: .unchanged
        case .cleared: .cleared
        case .set(let moment): .set(moment.timestamp)
        }
    }
}

/// The body of `PATCH /{id}`.
struct UpdateKeyBody: Decodable {
    let patch: KeyPatch

    init(from decoder: any Decoder) throws {
        try decoder.refuseMembers(beyond: KeyPatchBody.CodingKeys.self)
        patch = try KeyPatchBody(from: decoder).patch
    }
}

extension KeyedDecodingContainer {
    /// Returns the change of a list of limits. An empty list would remove all limits, as an unset variable of a script
    /// does; null removes them explicitly.
    func limits(_ member: Key, upTo count: Int = LimitRule.countLimit) throws -> KeyPatch.Change<[LimitRule]> {
        let limits = try change(of: member) { json throws(LimitFault) in
            try LimitRule.list(json, at: member.stringValue, upTo: count)
        }
        guard limits != .set([]) else { throw APIError.empty(member.stringValue) }
        return limits
    }

    /// Returns the change that a merge patch makes to a member, which `read` converts.
    func change<Value>(
        of member: Key, _ read: (JSONValue) throws(LimitFault) -> Value
    ) throws -> KeyPatch.Change<Value> {
        let change: KeyPatch.Change<JSONValue> = try change(of: member)
        guard case .set(let json) = change else { return change == .cleared ? .cleared : .unchanged }
        do throws(LimitFault) {
            return .set(try read(json))
        } catch {
            throw APIError.validation(error.message, param: error.param)
        }
    }

    /// Returns the change that a merge patch makes to a member.
    func change<Value: Decodable>(of member: Key) throws -> KeyPatch.Change<Value> {
        guard contains(member) else { return .unchanged }
        return try decodeIfPresent(Value.self, forKey: member).map { .set($0) } ?? .cleared
    }
}

/// The body of a rotation.
struct RotateBody: Decodable {
    let graceSeconds: Int64?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case graceSeconds = "grace_seconds"
    }

    init(from decoder: any Decoder) throws {
        try decoder.refuseMembers(beyond: CodingKeys.self)
        graceSeconds = try decoder.container(keyedBy: CodingKeys.self).wholeNumber(forKey: .graceSeconds)
    }
}
