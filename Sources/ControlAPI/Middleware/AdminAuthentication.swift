import AuthKeys
import Crypto
import HTTPTypes
import Hummingbird

/// The admin key, as its digest alone: comparing digests takes the same time whatever is compared.
public struct AdminKey: Sendable {
    /// The fewest characters an admin key has.
    public static let minimumLength = 32

    private let digest: SHA256Digest

    /// Nil for a key that is too short.
    public init?(_ key: String) {
        guard key.count >= Self.minimumLength else { return nil }
        digest = SHA256.hash(data: Array(key.utf8))
    }

    func matches(_ candidate: some Sequence<UInt8>) -> Bool {
        SHA256.hash(data: Array(candidate)) == digest
    }
}

/// Lets admins in. Nothing behind it answers without the admin key, and a key that was issued for an API is not one.
struct AdminAuthentication: RouterMiddleware {
    let adminKey: AdminKey

    func handle(
        _ request: Request, context: ControlContext, next: (Request, ControlContext) async throws -> Response
    ) async throws -> Response {
        let values = request.headers[values: .authorization]
        guard values.count <= 1 else {
            throw APIError(
                .badRequest, .invalidRequest, "more than one Authorization header", param: "Authorization",
                code: "ambiguous_credentials")
        }
        guard let value = values.first, let candidate = BearerToken.parse(value) else {
            throw APIError.unauthorized(
                .missing, message: "the admin key is required: 'Authorization: Bearer <admin key>'")
        }
        guard adminKey.matches(candidate.utf8) else {
            throw APIError.unauthorized(.unknown, message: "the admin key is not known")
        }
        return try await next(request, context)
    }
}

enum BearerToken {
    /// The token of RFC 6750 section 2.1, its scheme in any case; nil for anything else.
    static func parse(_ value: String) -> Substring? {
        let scheme = value.prefix(7)
        guard scheme.lowercased() == "bearer " else { return nil }
        let token = value.dropFirst(7).drop { $0 == " " }
        return token.isEmpty ? nil : token
    }
}
