import AuthKeys
import HTTPCredentials

/// The result of a verification. Empty members are omitted.
struct VerifyJSON {
    let valid: Bool
    let code: Code
    /// The status and challenge of the gateway's response to such a request, for the caller to pass on.
    let status: Int
    let wwwAuthenticate: String?
    let message: String?
    /// The id of the key, if it is known, whether valid or not.
    let keyID: String?
    let name: String?
    let owner: String?
    let scopes: [String]?
    /// The metadata, as a JSON object.
    let metadata: String?
    let expiresAt: String?
    /// The limits that applied, and the key's credits, after the request.
    let limits: [LimitStatus]
    let credits: LimitStatus?
    /// The seconds after which a refused request fits its limits, or the network may send another unknown key.
    let retryAfter: Int?

    init(_ outcome: RequestVerifier.Outcome<KeyProfile>) {
        let profile: KeyProfile?
        var limited: LimitRefusal?
        var secondsToWait: Int?
        switch outcome {
        // The caller's request is about a token: it is never a preflight, and its credential is never ambiguous.
        case .verdict(.unavailable, _), .verdict(.unresolved, _), .preflight, .ambiguousCredentials:
            profile = nil
            (valid, code, status, wwwAuthenticate) = (false, .unavailable, 503, nil)
            message = ErrorText.unavailable.message
        case .tooManyFailedAttempts(let seconds):
            profile = nil
            (valid, code, status, wwwAuthenticate) = (false, .tooManyFailedAttempts, 429, nil)
            message = ErrorText.tooManyFailedAttempts.message
            secondsToWait = seconds
        case .verdict(.admitted(_, let admitted), _):
            profile = admitted
            (valid, code, status, wwwAuthenticate, message) = (true, .valid, 200, nil, nil)
        case .verdict(.refused(let refusal, let known), let needed):
            profile = known
            valid = false
            code = Code(refusal, known)
            status = refusal.kind.status
            wwwAuthenticate = refusal.challenge(needing: needed)
            limited = known.flatMap { LimitRefusal($0.limits) }
            message = limited?.message ?? refusal.message(needing: needed)
        }
        limits = profile?.limits.filter { $0.kind != .credits } ?? []
        credits = profile?.limits.first { $0.kind == .credits }
        retryAfter = secondsToWait ?? limited?.retryAfter
        keyID = profile?.principal.keyID.description
        name = profile?.principal.name
        owner = profile?.principal.owner
        scopes = profile.flatMap { $0.principal.scopes.isEmpty ? nil : $0.principal.scopes }
        metadata = profile.flatMap { $0.metadata.isEmpty ? nil : $0.metadata }
        expiresAt = profile?.principal.expiresAt?.description
    }

}

extension VerifyJSON {
    enum Member: String, CaseIterable {
        case code, credits
        case expiresAt = "expires_at"
        case keyID = "key_id"
        case limits, message, metadata, name, owner
        case retryAfter = "retry_after"
        case scopes, status, valid
        case wwwAuthenticate = "www_authenticate"
    }

    /// The JSON object, members sorted by name. It is written by hand, because a JSON encoder takes longer than the
    /// rest of the response.
    var text: String {
        var text = "{"
        for member in Member.allCases {
            guard let value = value(of: member) else { continue }
            if text.utf8.count > 1 { text += "," }
            text += "\"\(member.rawValue)\":\(value)"
        }
        return text + "}"
    }

    private func value(of member: Member) -> String? {
        switch member {
        case .code: "\"\(code.rawValue)\""
        case .credits:
            credits.map { state in
                // Unknown until the first answer of the database.
                let remaining = state.remaining < 0 ? "" : ",\"remaining\":\(state.remaining)"
                return "{\"exceeded\":\(state.refusal != nil)\(remaining)}"
            }
        case .expiresAt: expiresAt.map(JSONValue.quoted)
        case .keyID: keyID.map(JSONValue.quoted)
        case .limits: limits.isEmpty ? nil : "[" + limits.map(Self.text).joined(separator: ",") + "]"
        case .message: message.map(JSONValue.quoted)
        case .metadata: metadata
        case .name: name.map(JSONValue.quoted)
        case .owner: owner.map(JSONValue.quoted)
        case .retryAfter: retryAfter.map(String.init)
        case .scopes: scopes.map { "[" + $0.map(JSONValue.quoted).joined(separator: ",") + "]" }
        case .status: String(status)
        case .valid: String(valid)
        case .wwwAuthenticate: wwwAuthenticate.map(JSONValue.quoted)
        }
    }
}

extension VerifyJSON {
    /// Returns a limit as JSON. Its name needs no escaping.
    private static func text(_ limit: LimitStatus) -> String {
        let reset = limit.reset.map { ",\"reset_seconds\":\($0.wholeSeconds)" } ?? ""
        let report = limit.isReportOnly ? ",\"report_only\":true" : ""
        return """
            {"exceeded":\(limit.refusal != nil),"limit":\(limit.limit),"name":"\(limit.name)",\
            "remaining":\(limit.remaining)\(report)\(reset)}
            """
    }

    /// The result, for machines.
    enum Code: String, CaseIterable {
        case valid = "VALID"
        case notFound = "NOT_FOUND"
        case malformed = "MALFORMED"
        case disabled = "DISABLED"
        case deactivated = "DEACTIVATED"
        case expired = "EXPIRED"
        case notYetValid = "NOT_YET_VALID"
        case ipNotAllowed = "IP_NOT_ALLOWED"
        case methodNotAllowed = "METHOD_NOT_ALLOWED"
        case pathNotAllowed = "PATH_NOT_ALLOWED"
        case methodAmbiguous = "METHOD_AMBIGUOUS"
        case pathAmbiguous = "PATH_AMBIGUOUS"
        case scopeMissing = "SCOPE_MISSING"
        case rateLimited = "RATE_LIMITED"
        case quotaExceeded = "QUOTA_EXCEEDED"
        case creditsExhausted = "CREDITS_EXHAUSTED"
        case concurrencyExceeded = "CONCURRENCY_EXCEEDED"
        case tooManyFailedAttempts = "TOO_MANY_FAILED_ATTEMPTS"
        /// A result in a batch for a request that names a limit which the key lacks.
        case limitUnknown = "LIMIT_UNKNOWN"
        /// A result in a batch that requires a lookup while the database is unavailable.
        case unavailable = "UNAVAILABLE"

        /// - Parameter profile: the profile of the key, if it is known.
        init(_ refusal: Refusal, _ profile: KeyProfile?) {
            self =
                switch refusal {
                case .unknown: .notFound
                case .missing, .malformed: .malformed
                case .expired: .expired
                case .inactive: profile?.state == .disabled ? .disabled : .deactivated
                case .notYetValid: .notYetValid
                case .ipNotAllowed: .ipNotAllowed
                case .methodNotAllowed: .methodNotAllowed
                case .pathNotAllowed: .pathNotAllowed
                case .methodAmbiguous: .methodAmbiguous
                case .pathAmbiguous: .pathAmbiguous
                case .scopeMissing: .scopeMissing
                case .limitUnknown: .limitUnknown
                case .rateLimited: .rateLimited
                case .quotaExceeded: .quotaExceeded
                case .creditsExhausted: .creditsExhausted
                case .concurrencyExceeded: .concurrencyExceeded
                }
        }
    }
}
