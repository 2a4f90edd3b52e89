import AuthKeys

/// A line of an import: the members of a creation, and those of the secret. Unknown members are ignored.
struct ImportLineBody: Decodable {
    let request: ImportRequest

    private enum CodingKeys: String, CodingKey {
        case id, token, digest, algorithm, encoding, prefix
        case part = "of"
        case lastFour = "last_four"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
        case deactivatedAt = "deactivated_at"
    }

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        func text(_ member: CodingKeys) throws -> String? {
            try members.decodeIfPresent(String.self, forKey: member)
        }
        func moment(_ member: CodingKeys) throws -> Timestamp? {
            try members.decodeIfPresent(Moment.self, forKey: member)?.timestamp
        }
        request = ImportRequest(
            attributes: try KeyPatchBody(from: decoder).patch.applied(to: KeyAttributes(name: "")),
            secret: ImportRequest.Secret(
                token: try text(.token), digest: try text(.digest), algorithm: try text(.algorithm),
                encoding: try text(.encoding), part: try text(.part), prefix: try text(.prefix),
                lastFour: try text(.lastFour)),
            id: try text(.id), createdAt: try moment(.createdAt), updatedAt: try moment(.updatedAt),
            deactivatedAt: try moment(.deactivatedAt))
    }
}
