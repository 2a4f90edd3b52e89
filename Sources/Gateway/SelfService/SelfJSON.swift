import AuthKeys
import HTTPCredentials

/// The bodies of successful responses of self-service. Empty and unknown members are omitted, but for the lists.
enum SelfJSON {
    /// Describes a key to its holder.
    /// - Parameter record: what the database knows; nil if it did not respond.
    static func key(_ profile: KeyProfile, _ record: SelfRecord?) -> String {
        let principal = profile.principal
        var members: [String: JSONValue] = [
            "auth_key_id": .string(principal.keyID.description), "name": .string(principal.name),
            "scopes": .array(principal.scopes.map { .string($0) }),
            "limits": .array(profile.limits.filter { $0.kind != .credits }.map(limit)),
        ]
        members["owner"] = principal.owner.map { .string($0) }
        members["expires_at"] = principal.expiresAt.map { .string($0.description) }
        members["credits"] = credits(profile.limits.first { $0.kind == .credits }, record?.credits)
        if let record {
            members["requests_today"] = .integer(record.requestsToday)
            members["self_rotation"] = .bool(record.allowsRotation)
        }
        return JSONValue.object(members).text
    }

    static func rotation(_ rotation: SelfRotation, of key: KeyID) -> String {
        var members: [String: JSONValue] = [
            "auth_key_id": .string(key.description), "rotation_id": .string(rotation.id.description),
            "value": .string(rotation.value), "redacted_value": .string(rotation.redactedValue),
        ]
        members["previous_secret_expires_at"] = rotation.previousExpiresAt.map { .string($0.description) }
        return JSONValue.object(members).text
    }

    /// Returns a limit in the form of `/v1/verify`.
    private static func limit(_ limit: LimitStatus) -> JSONValue {
        var members: [String: JSONValue] = [
            "name": .string(limit.name), "limit": .integer(limit.limit), "remaining": .integer(limit.remaining),
            "exceeded": .bool(limit.refusal != nil),
        ]
        members["reset_seconds"] = limit.reset.map { .integer($0.wholeSeconds) }
        if limit.isReportOnly { members["report_only"] = .bool(true) }
        return .object(members)
    }

    /// Returns what is left of the credits: as this instance knows, or else as the database does.
    private static func credits(_ status: LimitStatus?, _ stored: KeyCredits?) -> JSONValue? {
        guard status != nil || stored != nil else { return nil }
        var members: [String: JSONValue] = [:]
        if case .object(let form)? = stored?.json { members = form }
        if let status, status.remaining >= 0 { members["remaining"] = .integer(status.remaining) }
        if let status { members["exceeded"] = .bool(status.refusal != nil) }
        members["reset_seconds"] = status?.reset.map { .integer($0.wholeSeconds) }
        return .object(members)
    }
}
