import AuthKeys
import KeyAdministration

/// The body of `keys.createKey`.
struct UnkeyCreateBody: Decodable {
    /// The accepted numbers of random bytes: Unkey's default, which its clients always send, and the number in each key
    /// of Keyward.
    static let byteLengths = [16, 32]

    private let attributes: KeyAttributes
    private let prefix: String?
    private let namesExpiry: Bool

    enum CodingKeys: String, CodingKey, CaseIterable {
        case prefix, name, byteLength, meta, roles, permissions, expires, credits, ratelimits, enabled, recoverable
        case apiID = "apiId"
        case externalID = "externalId"
    }

    init(from decoder: any Decoder) throws {
        let members = try UnkeyMembers(decoder, CodingKeys.self)
        try members.refuse(.roles, "Keyward has no roles, only permissions")
        try members.refuse(.recoverable, "Keyward stores no key, only its digest")
        if let length = try members.value(.byteLength, Int.self), !Self.byteLengths.contains(length) {
            throw UnkeyMembers.fault(CodingKeys.byteLength, "is not supported: every key has 32 bytes of randomness")
        }
        prefix = try members.value(.prefix)
        namesExpiry = members.has(.expires)
        attributes = KeyAttributes(
            name: try members.value(.name) ?? UnkeyNames.unnamed, owner: try members.value(.externalID),
            scopes: try members.value(.permissions) ?? [],
            labels: [UnkeyNames.apiLabel: try members.text(.apiID)],
            metadata: try members.value(.meta) ?? [:],
            enabled: try members.value(.enabled) ?? true,
            expiresAt: try members.value(.expires).map { try Timestamp(milliseconds: $0, param: "expires") },
            limits: try members.value(.ratelimits, [UnkeyRatelimitBody].self)?.map(\.rule) ?? [],
            credits: try members.value(.credits, UnkeyCreditsBody.self)?.credits)
    }

    /// Returns the request for the domain, which validates it.
    func request(idempotencyKey: String?) -> KeyRequest {
        KeyRequest(
            attributes: attributes, prefix: prefix, idempotencyKey: idempotencyKey, namesExpiry: namesExpiry)
    }
}
