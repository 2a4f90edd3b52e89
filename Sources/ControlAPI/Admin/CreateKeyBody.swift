import AuthKeys

/// The body of `POST /admin/api/v1/auth-keys`. Null means absent, except for `expires_at`.
struct CreateKeyBody: Decodable {
    let patch: KeyPatch
    let prefix: String?

    enum CodingKeys: CodingKey, CaseIterable {
        case prefix
    }

    private static let members = KnownMembers(KeyPatchBody.CodingKeys.names + CodingKeys.names)

    init(from decoder: any Decoder) throws {
        try Self.members.check(decoder)
        patch = try KeyPatchBody(from: decoder).patch
        prefix = try decoder.container(keyedBy: CodingKeys.self).decodeIfPresent(String.self, forKey: .prefix)
    }

    /// Returns the request for the domain, which validates it.
    func request(idempotencyKey: String?) -> KeyRequest {
        KeyRequest(
            attributes: patch.applied(to: KeyAttributes(name: "")), prefix: prefix, idempotencyKey: idempotencyKey,
            namesExpiry: patch.expiresAt != .unchanged)
    }
}
