import AuthKeys

/// The header fields in which a key is accepted. Other fields are ignored.
public struct CredentialPlaces: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// `Authorization: Bearer <token>` (RFC 6750 section 2.1), the scheme in any case.
    public static let authorization = CredentialPlaces(rawValue: 1)
    /// `X-API-Key: <token>`.
    public static let xAPIKey = CredentialPlaces(rawValue: 2)
}

/// The credential of a request, from the configured fields, never from the query string.
public enum Credential<Token> {
    case none
    /// The token may be empty, and then is malformed.
    case token(Token)
    /// One field twice, or two fields with different tokens.
    case ambiguous
}

extension Credential: Sendable where Token: Sendable {}
extension Credential: Equatable where Token: Equatable {}

/// Finds the credential among header fields that are passed one by one.
public struct CredentialFinder<Token> {
    @usableFromInline let places: CredentialPlaces
    @usableFromInline var sawAuthorization = false
    @usableFromInline var bearer: Token?
    @usableFromInline var apiKey: Token?
    @usableFromInline var isAmbiguous = false

    @inlinable
    public init(places: CredentialPlaces) {
        self.places = places
    }

    /// Adds an `Authorization` field, with its token if the scheme is Bearer.
    @inlinable
    public mutating func authorization(_ token: @autoclosure () -> Token?) {
        guard places.contains(.authorization) else { return }
        if sawAuthorization { isAmbiguous = true }
        sawAuthorization = true
        bearer = token()
    }

    /// Adds an `X-API-Key` field.
    @inlinable
    public mutating func apiKey(_ token: Token) {
        guard places.contains(.xAPIKey) else { return }
        if apiKey != nil { isAmbiguous = true }
        apiKey = token
    }

    /// Returns the credential of the fields so far.
    @inlinable
    public func credential(areEqual: (Token, Token) -> Bool) -> Credential<Token> {
        if isAmbiguous { return .ambiguous }
        if let bearer, let apiKey, !areEqual(bearer, apiKey) { return .ambiguous }
        return (bearer ?? apiKey).map { .token($0) } ?? .none
    }
}

extension Credential where Token == String {
    /// Finds the credential in the values of a request's fields.
    public init(authorization: [String], apiKey: [String], places: CredentialPlaces) {
        var finder = CredentialFinder<String>(places: places)
        for value in authorization { finder.authorization(BearerScheme.token(of: value).map(String.init)) }
        for value in apiKey { finder.apiKey(value) }
        self = finder.credential { $0.utf8.elementsEqual($1.utf8) }
    }

    /// Calls `body` with the credential as bytes.
    func withBytes<R>(_ body: (Credential<UnsafeRawBufferPointer>) -> R) -> R {
        switch self {
        case .none: body(.none)
        case .token(var token): token.withUTF8 { body(.token(UnsafeRawBufferPointer($0))) }
        case .ambiguous: body(.ambiguous)
        }
    }
}

/// `Bearer 1*SP token` (RFC 6750 section 2.1), the scheme in any case.
public enum BearerScheme {
    /// Returns the offset of the token; nil for another scheme.
    public static func tokenStart(in value: UnsafeRawBufferPointer) -> Int? {
        let scheme: StaticString = "bearer"
        let length = scheme.utf8CodeUnitCount
        guard value.count >= length else { return nil }
        for index in 0..<length where value[index] | 0x20 != scheme.utf8Start[index] { return nil }
        guard value.count > length else { return length }
        guard value[length] == 0x20 else { return nil }
        return length + value[length...].prefix { $0 == 0x20 }.count
    }

    /// Returns the token; nil for another scheme.
    public static func token(of value: String) -> Substring? {
        let start = Array(value.utf8).withUnsafeBytes { tokenStart(in: $0) }
        return start.map { value[value.utf8.index(value.utf8.startIndex, offsetBy: $0)...] }
    }
}
