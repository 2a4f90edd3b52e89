import AuthKeys
import Foundation
import HTTPTypes

/// What a client of introspection authenticates with: an admin key, as a Bearer token (RFC 6750 section 2.1) or as the password of
/// HTTP Basic, with any user id (RFC 7617, RFC 6749 section 2.3.1).
enum ClientCredential {
    /// Whether what is presented is a Bearer token.
    static func isBearer(_ head: HTTPRequest) -> Bool {
        head.headerFields[.authorization].flatMap { BearerScheme.token(of: $0) } != nil
    }

    /// What may be the admin key: of a password, as it is and as OAuth has it encoded, since clients differ in that.
    static func candidates(in head: HTTPRequest) throws(OAuthError) -> [String] {
        let values = head.headerFields[values: .authorization]
        guard values.count <= 1 else { throw .invalidRequest("there is more than one Authorization header field") }
        let parts = (values.first ?? "").split(separator: " ", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { throw .invalidClient }
        switch parts[0].lowercased() {
        case "bearer": return [parts[1].trimmingCharacters(in: .whitespaces)]
        case "basic":
            guard let bytes = Data(base64Encoded: parts[1].trimmingCharacters(in: .whitespaces)),
                let text = String(bytes: bytes, encoding: .utf8), let colon = text.firstIndex(of: ":")
            else { throw .invalidClient }
            let password = String(text[text.index(after: colon)...])
            let decoded = FormParameters.decoded(password)
            return [password] + [decoded].compactMap { $0 == password ? nil : $0 }
        default: throw .invalidClient
        }
    }
}
