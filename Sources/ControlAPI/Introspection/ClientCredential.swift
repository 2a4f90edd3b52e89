import AuthKeys
import FoundationEssentials
import HTTPTypes

/// The credential of an introspection client: an admin key, as a Bearer token (RFC 6750 section 2.1) or as the password
/// of HTTP Basic with any user id (RFC 7617, RFC 6749 section 2.3.1).
enum ClientCredential {
    /// True if the request has a Bearer token.
    static func isBearer(_ head: HTTPRequest) -> Bool {
        head.headerFields[.authorization].flatMap { BearerScheme.token(of: $0) } != nil
    }

    /// Returns the possible admin keys. A password is returned as it is and form-decoded, because clients differ in
    /// whether they encode it.
    static func candidates(in head: HTTPRequest) throws(OAuthError) -> [String] {
        let values = head.headerFields[values: .authorization]
        guard values.count <= 1 else { throw .invalidRequest("there is more than one Authorization header field") }
        let value = Array((values.first ?? "").utf8)
        guard let space = value.firstIndex(of: 0x20) else { throw .invalidClient }
        let credentials = value[space...].drop { $0 == 0x20 }
        switch String(decoding: value[..<space], as: UTF8.self).lowercased() {
        case "bearer": return [String(decoding: credentials, as: UTF8.self)]
        case "basic":
            guard let text = Data(base64Encoded: Data(credentials)), let colon = text.firstIndex(of: UInt8(ascii: ":"))
            else { throw .invalidClient }
            let password = Array(text[(colon + 1)...])
            let decoded = FormPairs.decodedBytes(password[...])
            return ([password] + [decoded].compactMap { $0 == password ? nil : $0 }).compactMap {
                String(validating: $0, as: UTF8.self)
            }
        default: throw .invalidClient
        }
    }
}
