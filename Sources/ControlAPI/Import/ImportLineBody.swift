import AuthKeys
import ControlBodies
import KeyAdministration

/// A line of an import: the members of a creation, and those of the secret. Other members of an export are accepted
/// without effect, so a line of an export needs only its secret added.
struct ImportLineBody: Decodable {
    let request: ImportRequest

    enum CodingKeys: String, CodingKey, CaseIterable {
        case id, token, digest, algorithm, encoding, prefix
        case part = "of"
        case lastFour = "last_four"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
        case deactivatedAt = "deactivated_at"
    }

    /// All members of an exported key, which has no secret and no rotation id.
    static let exported = KeyJSON.CodingKeys.allCases.filter { $0 != .value && $0 != .rotationID }.map(\.stringValue)

    private static let members = KnownMembers(KeyPatchBody.CodingKeys.names + CodingKeys.names, ignored: exported)

    init(from decoder: any Decoder) throws {
        try Self.members.check(decoder)
        let members = try decoder.container(keyedBy: CodingKeys.self)
        func text(_ member: CodingKeys) throws -> String? {
            try members.decodeIfPresent(String.self, forKey: member)
        }
        func moment(_ member: CodingKeys) throws -> Timestamp? {
            try members.decodeIfPresent(Moment.self, forKey: member)?.timestamp
        }
        let attributes = try KeyPatchBody(from: decoder).patch.applied(to: KeyAttributes(name: ""))
        let isInactive =
            try decoder.container(keyedBy: KeyJSON.CodingKeys.self).decodeIfPresent(Bool.self, forKey: .active) == false
        let isExpired = attributes.expiresAt.map { $0 <= .now } ?? false
        guard try !isInactive || !attributes.enabled || isExpired || moment(.deactivatedAt) != nil else {
            throw APIError.validation(
                "active is false, but no other member makes the key inactive: set enabled, deactivated_at or expires_at",
                param: "active")
        }
        request = ImportRequest(
            attributes: attributes,
            secret: ImportRequest.Secret(
                token: try text(.token), digest: try text(.digest), algorithm: try text(.algorithm),
                encoding: try text(.encoding), part: try text(.part), prefix: try text(.prefix),
                lastFour: try text(.lastFour)),
            id: try text(.id), createdAt: try moment(.createdAt), updatedAt: try moment(.updatedAt),
            deactivatedAt: try moment(.deactivatedAt))
    }
}
