public import AuthKeys

/// The part of self-service that needs the database.
public protocol SelfService: Sendable {
    /// Returns what the database knows about a key; nil if it does not respond in time.
    func record(of key: KeyID) async -> SelfRecord?

    /// Gives a key a new secret, on behalf of its holder.
    func rotate(_ request: SelfRotationRequest) async throws(SelfServiceFault) -> SelfRotation
}

/// The data about a key that the index lacks.
public struct SelfRecord: Sendable, Equatable {
    public let allowsRotation: Bool
    /// The requests of the current UTC day.
    public let requestsToday: Int64
    /// The credits of the key, as the admin API shows them; nil if it has none.
    public let credits: KeyCredits?

    public init(allowsRotation: Bool, requestsToday: Int64, credits: KeyCredits?) {
        self.allowsRotation = allowsRotation
        self.requestsToday = requestsToday
        self.credits = credits
    }
}

/// A request of the holder of a key for a new secret.
public struct SelfRotationRequest: Sendable {
    public let key: KeyID
    /// The digest of the secret that the request presented.
    public let secret: SecretDigest
    /// The body of the request, as received.
    public let body: [UInt8]
    /// The address of the client; empty if it is unknown.
    public let address: String
    public let requestID: String

    public init(key: KeyID, secret: SecretDigest, body: [UInt8], address: String, requestID: String) {
        self.key = key
        self.secret = secret
        self.body = body
        self.address = address
        self.requestID = requestID
    }
}

/// A new secret of a key.
public struct SelfRotation: Sendable {
    public let id: KeyID
    /// The secret. It is not stored, so the response is the only place that has it.
    public let value: String
    public let redactedValue: String
    /// The end of the previous secret; nil if it has ended.
    public let previousExpiresAt: Timestamp?

    public init(id: KeyID, value: String, redactedValue: String, previousExpiresAt: Timestamp?) {
        self.id = id
        self.value = value
        self.redactedValue = redactedValue
        self.previousExpiresAt = previousExpiresAt
    }
}

/// The reason why a request for self-service is refused although its key is valid.
public enum SelfServiceFault: Error, Sendable, Equatable {
    /// The methods that the path accepts.
    case methodNotAllowed(String)
    case bodyTooLarge
    case invalidJSON
    /// The body has a member that is unknown, or `grace_seconds` out of range.
    case invalidGrace(limit: Int64)
    /// The key does not allow it.
    case rotationNotAllowed
    /// The presented secret has been replaced, and is valid for its grace period only.
    case secretReplaced
    /// The key ended after it was admitted.
    case keyEnded
    /// The key was rotated a moment ago.
    case rotatedRecently(retryAfter: Int)
    /// The database does not respond.
    case unavailable
    /// The confirmation of the rotation was lost: the key may have been rotated.
    case outcomeUnknown
}
