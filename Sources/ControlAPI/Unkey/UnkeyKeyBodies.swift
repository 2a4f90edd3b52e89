import KeyAdministration

/// The body of `keys.getKey`.
struct UnkeyGetBody: Decodable {
    let keyID: String

    enum CodingKeys: String, CodingKey, CaseIterable {
        case decrypt
        case keyID = "keyId"
    }

    init(from decoder: any Decoder) throws {
        let members = try UnkeyMembers(decoder, CodingKeys.self)
        try members.refuse(.decrypt, "Keyward stores no key, only its digest")
        keyID = try members.text(.keyID)
    }
}

/// The body of `keys.deleteKey`.
struct UnkeyDeleteBody: Decodable {
    let keyID: String
    let isPermanent: Bool

    enum CodingKeys: String, CodingKey, CaseIterable {
        case permanent
        case keyID = "keyId"
    }

    init(from decoder: any Decoder) throws {
        let members = try UnkeyMembers(decoder, CodingKeys.self)
        keyID = try members.text(.keyID)
        isPermanent = try members.value(.permanent) ?? false
    }
}

/// The body of `keys.rerollKey`.
struct UnkeyRerollBody: Decodable {
    let keyID: String
    /// The time for which the previous secret stays valid.
    let grace: Duration

    enum CodingKeys: String, CodingKey, CaseIterable {
        case expiration
        case keyID = "keyId"
    }

    init(from decoder: any Decoder) throws {
        let members = try UnkeyMembers(decoder, CodingKeys.self)
        keyID = try members.text(.keyID)
        let limit = FieldRules.graceLimit.components.seconds * 1_000
        guard let milliseconds = try members.value(.expiration, Int64.self), (0...limit).contains(milliseconds) else {
            throw UnkeyMembers.fault(CodingKeys.expiration, "must be from 0 to \(limit) milliseconds")
        }
        grace = .milliseconds(milliseconds)
    }
}

/// The body of `keys.addPermissions`, `keys.removePermissions` and `keys.setPermissions`.
struct UnkeyPermissionsBody: Decodable {
    let keyID: String
    let permissions: [String]

    enum CodingKeys: String, CodingKey, CaseIterable {
        case permissions
        case keyID = "keyId"
    }

    init(from decoder: any Decoder) throws {
        let members = try UnkeyMembers(decoder, CodingKeys.self)
        keyID = try members.text(.keyID)
        permissions = try members.container.decode([String].self, forKey: .permissions)
    }
}

/// The body of `apis.listKeys`.
struct UnkeyListBody: Decodable {
    let query: KeyQuery

    enum CodingKeys: String, CodingKey, CaseIterable {
        case limit, cursor, decrypt, revalidateKeysCache
        case apiID = "apiId"
        case externalID = "externalId"
    }

    init(from decoder: any Decoder) throws {
        let members = try UnkeyMembers(decoder, CodingKeys.self)
        try members.refuse(.decrypt, "Keyward stores no key, only its digest")
        // Accepted without effect, because a list is always read from the database.
        _ = try members.value(.revalidateKeysCache, Bool.self)
        func text(_ name: CodingKeys, limit: Int) throws -> String? {
            try ListParameters.text(try members.value(name, String.self), param: name.stringValue, limit: limit)
        }
        guard let apiID = try text(.apiID, limit: FieldRules.nameLimit) else {
            throw UnkeyMembers.fault(CodingKeys.apiID, "is required")
        }
        let limit = try members.value(.limit, Int.self)
        query = KeyQuery(
            limit: try ListParameters.limit(limit.map { String($0) }),
            after: try ListParameters.cursor(try members.value(.cursor, String.self)) {
                ListCursor(encoded: $0)
            },
            leavesOutDeactivated: true,
            owner: try ListParameters.owner(
                text(.externalID, limit: ListParameters.ownerLimit), param: CodingKeys.externalID.stringValue),
            label: KeyQuery.Label(name: UnkeyNames.apiLabel, value: apiID))
    }
}

/// The id of the key that a body is about, without the other members.
struct UnkeySubject: Decodable {
    let keyID: String?

    enum CodingKeys: String, CodingKey {
        case keyID = "keyId"
    }
}
