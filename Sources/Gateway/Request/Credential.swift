import NIOCore

/// The credential of a request, as the contract reads it: in the places that the operator named, and in no query string.
enum Credential: Equatable {
    case none
    /// Where the token stands in the head's bytes. It may be empty, and then is malformed.
    case token(Range<Int>)
    /// One place twice, or two places with different tokens.
    case ambiguous

    /// Looks in the named places. `Authorization` with another scheme than Bearer is no credential of Keyward's.
    init(in head: borrowing RequestHead, bytes: UnsafeRawBufferPointer, places: GatewayConfiguration.CredentialPlaces) {
        var authorization: Range<Int>?
        var apiKey: Range<Int>?
        var sawAuthorization = false
        for field in head.fields.lines {
            switch field.kind {
            case .authorization where places.contains(.authorization):
                guard !sawAuthorization else {
                    self = .ambiguous
                    return
                }
                sawAuthorization = true
                authorization = Self.bearerToken(field.value, in: bytes)
            case .xAPIKey where places.contains(.xAPIKey):
                guard apiKey == nil else {
                    self = .ambiguous
                    return
                }
                apiKey = field.value
            default: break
            }
        }
        if let authorization, let apiKey, !bytes.part(authorization).elementsEqual(bytes.part(apiKey)) {
            self = .ambiguous
        } else if let token = authorization ?? apiKey {
            self = .token(token)
        } else {
            self = .none
        }
    }

    /// `Bearer 1*SP token` (RFC 6750 section 2.1); nil for another scheme.
    private static func bearerToken(_ value: Range<Int>, in bytes: UnsafeRawBufferPointer) -> Range<Int>? {
        let scheme: StaticString = "bearer"
        guard bytes.part(value).begins(with: scheme) else { return nil }
        var start = value.lowerBound + scheme.utf8CodeUnitCount
        guard start < value.upperBound else { return start..<start }
        guard bytes[start] == ByteClass.space else { return nil }
        while start < value.upperBound, bytes[start] == ByteClass.space { start += 1 }
        return start..<value.upperBound
    }
}
