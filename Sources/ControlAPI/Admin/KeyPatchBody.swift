import AuthKeys

/// The members that admins may change, as a JSON merge patch (RFC 7396). Unknown members are ignored.
struct KeyPatchBody: Decodable {
    private(set) var patch = KeyPatch()

    private enum CodingKeys: String, CodingKey {
        case name, description, owner, scopes, labels, metadata, enabled
        case expiresAt = "expires_at"
        case notBefore = "not_before"
        case allowedMethods = "allowed_methods"
        case allowedPaths = "allowed_paths"
        case allowedCIDRs = "allowed_cidrs"
        case reportOnly = "report_only"
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
        patch.expiresAt = try Self.moment(try change(.expiresAt), param: CodingKeys.expiresAt.rawValue)
        patch.notBefore = try Self.moment(try change(.notBefore), param: CodingKeys.notBefore.rawValue)
        patch.allowedMethods = try change(.allowedMethods)
        patch.allowedPaths = try change(.allowedPaths)
        patch.allowedCIDRs = try change(.allowedCIDRs)
        patch.reportOnly = try change(.reportOnly)
    }

    /// An empty text is no moment, as in the origin system.
    static func moment(
        _ text: KeyPatch.Change<String>, param: String
    ) throws(APIError) -> KeyPatch.Change<Timestamp> {
        switch text {
        case .unchanged: .unchanged
        case .cleared, .set(""): .cleared
        case .set(let text): .set(try Timestamp(text, param: param))
        }
    }
}

extension KeyedDecodingContainer {
    /// What a merge patch says of a member.
    func change<Value: Decodable>(of member: Key) throws -> KeyPatch.Change<Value> {
        guard contains(member) else { return .unchanged }
        return try decodeIfPresent(Value.self, forKey: member).map { .set($0) } ?? .cleared
    }
}

extension Timestamp {
    /// Reads what a caller says is a moment.
    init(_ text: some StringProtocol, param: String) throws(APIError) {
        do {
            try self.init(rfc3339: text)
        } catch {
            switch error {
            case .syntax:
                throw .validation(
                    "\(param) must be an RFC 3339 date and time with a zone, such as 2030-01-31T12:00:00Z",
                    param: param)
            case .noSuchMoment: throw .validation("\(param) is not a date and time that exists", param: param)
            }
        }
    }
}

/// The body of a rotation.
struct RotateBody: Decodable {
    let graceSeconds: Int64?

    enum CodingKeys: String, CodingKey {
        case graceSeconds = "grace_seconds"
    }
}
