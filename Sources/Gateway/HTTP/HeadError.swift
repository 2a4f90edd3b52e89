import AuthKeys

/// An error in a message head or in the framing of a body.
enum HeadError: Error, Equatable {
    /// The bytes violate the grammar of RFC 9112, or are ambiguous.
    case malformed
    /// The request target contains a byte that must be percent-encoded.
    case target(TargetFault)
    /// The request target is longer than allowed.
    case targetTooLong
    /// The head is longer than allowed, or has too many fields.
    case tooLarge
    /// The version is neither HTTP/1.0 nor HTTP/1.1.
    case unsupportedVersion
}

/// The limits of the size of a head.
struct HeadLimits: Sendable, Equatable {
    var headBytes: Int
    var targetBytes: Int
    var fieldCount: Int
}
