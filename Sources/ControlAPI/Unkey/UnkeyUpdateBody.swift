import AuthKeys

/// The body of `keys.updateKey`: absent members stay, null clears, and `meta` replaces all metadata.
struct UnkeyUpdateBody: Decodable {
    let keyID: String
    private let patch: KeyPatch
    private let metadata: [String: JSONValue]?
    private let credits: KeyPatch.Change<UnkeyCreditsBody>
    /// The limits that replace those of Unkey's kinds; nil to change none.
    private let limits: [LimitRule]?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case name, meta, expires, credits, ratelimits, enabled, roles, permissions
        case keyID = "keyId"
        case externalID = "externalId"
    }

    init(from decoder: any Decoder) throws {
        let members = try UnkeyMembers(decoder, CodingKeys.self)
        try members.refuse(.roles, "Keyward has no roles, only permissions")
        keyID = try members.text(.keyID)
        var patch = KeyPatch()
        patch.name = try members.container.change(of: .name)
        if patch.name == .cleared { patch.name = .set(UnkeyNames.unnamed) }
        patch.owner = try members.container.change(of: .externalID)
        patch.expiresAt =
            switch try members.container.change(of: .expires) as KeyPatch.Change<Int64> {
            case .unchanged: .unchanged
            case .cleared: .cleared
            case .set(let milliseconds): .set(try Timestamp(milliseconds: milliseconds, param: "expires"))
            }
        // Null leaves these two members unchanged.
        if let enabled = try members.value(.enabled, Bool.self) { patch.enabled = .set(enabled) }
        if let permissions = try members.value(.permissions, [String].self) { patch.scopes = .set(permissions) }
        self.patch = patch
        credits = try members.container.change(of: .credits)
        limits =
            members.has(.ratelimits)
            ? try members.value(.ratelimits, [UnkeyRatelimitBody].self)?.map(\.rule) ?? [] : nil
        metadata = members.has(.meta) ? try members.value(.meta) ?? [:] : nil
    }

    /// Returns the attributes after the change, before validation.
    func applied(to attributes: KeyAttributes) -> KeyAttributes {
        var result = patch.applied(to: attributes)
        if let metadata { result.metadata = metadata }
        switch credits {
        case .unchanged: break
        case .cleared: result.credits = nil
        case .set(let change): change.apply(to: &result)
        }
        if let limits { result.limits = limits + result.limits.filter { $0.unkeyDuration == nil } }
        return result
    }
}
