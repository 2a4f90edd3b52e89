public import AuthKeys

/// The texts of errors, equal for every entry point.
public enum ErrorText {
    /// Returns `{"error":{"type","message","param","code"}}`. The arguments must not need escaping in JSON.
    public static func body(type: String, message: String, code: String) -> String {
        """
        {"error":{"type":"\(type)","message":"\(message)","param":null,"code":"\(code)"}}
        """
    }

    /// Returns problem details (RFC 9457), with the members of `body`. The arguments must not need escaping in JSON.
    public static func problem(status: Int, title: String, message: String, code: String) -> String {
        """
        {"type":"urn:keyward:error:\(code)","title":"\(title)","status":\(status),"detail":"\(message)","code":"\(code)","param":null}
        """
    }

    public static let problemType = "application/problem+json"

    /// More than one credential: 400.
    public static let ambiguous = (
        type: "invalid_request_error", code: "ambiguous_credentials",
        message: "the request carries more than one credential: send the API key once"
    )

    /// The client's network has sent too many keys that do not exist: 429.
    public static let tooManyFailedAttempts = (
        type: Refusal.Kind.limit.type, code: "too_many_failed_attempts",
        message: "too many invalid API keys came from this network: try again later"
    )

    /// Keys cannot be verified now: 503.
    public static let unavailable = (
        type: "unavailable_error", code: "verification_unavailable",
        message: "API keys cannot be verified at the moment: try again"
    )
}

extension Refusal {
    /// The message, with the needed scopes if one is missing.
    public func message(needing needed: ScopeRequirement) -> String {
        self == .scopeMissing && !needed.isEmpty ? "\(message): \(needed.text)" : message
    }

    /// Returns the value of `WWW-Authenticate` (RFC 6750 section 3); nil if the response has none.
    public func challenge(needing needed: ScopeRequirement = .none) -> String? {
        needed.isEmpty ? Self.challenges[self] : makeChallenge(needing: needed)
    }

    /// The body of the response, for a refusal that names no scopes.
    public var body: String { Self.bodies[self] ?? "" }

    /// Computed once: frequent refusals must not cost more than admissions.
    private static let challenges: [Refusal: String] = texts { $0.makeChallenge(needing: .none) }
    private static let bodies: [Refusal: String] = texts {
        ErrorText.body(type: $0.kind.type, message: $0.message, code: $0.code)
    }

    private static func texts(_ text: (Refusal) -> String?) -> [Refusal: String] {
        Dictionary(uniqueKeysWithValues: allCases.compactMap { refusal in text(refusal).map { (refusal, $0) } })
    }

    private func makeChallenge(needing needed: ScopeRequirement) -> String? {
        guard kind == .authentication || self == .scopeMissing else { return nil }
        var challenge = "Bearer realm=\"keyward\""
        if let error = bearerError { challenge += ", error=\"\(error)\", error_description=\"\(message)\"" }
        if self == .scopeMissing, !needed.isEmpty { challenge += ", scope=\"\(needed.text)\"" }
        return challenge
    }
}
