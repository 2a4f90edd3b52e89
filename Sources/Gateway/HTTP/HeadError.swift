import AuthKeys

/// Why a message head, or the framing of a body, is not taken.
enum HeadError: Error, Equatable {
    /// It breaks the grammar of RFC 9112, or reads in more than one way.
    case malformed
    /// The request target has a byte that has to be percent-encoded.
    case target(TargetFault)
    /// The request target is longer than allowed.
    case targetTooLong
    /// The head is longer than allowed, or has too many fields.
    case tooLarge
    /// It is HTTP, but not 1.0 or 1.1.
    case unsupportedVersion
}

/// How large a head may be.
struct HeadLimits: Sendable, Equatable {
    var headBytes: Int
    var targetBytes: Int
    var fieldCount: Int
}
