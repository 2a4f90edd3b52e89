public import AuthKeys

/// The members that a change affected, each with its value before and after.
public struct AuditChanges: Sendable, Equatable {
    public private(set) var members: [String: JSONValue] = [:]

    public init() {}

    /// The members whose values differ.
    /// - Parameters:
    ///   - before: nil for a new object.
    ///   - after: nil for a deleted object.
    ///   - absent: the members that a missing object stands for.
    init(from before: [String: JSONValue]?, to after: [String: JSONValue]?, absent: [String: JSONValue]) {
        let (old, new) = (before ?? absent, after ?? absent)
        for name in Set(old.keys).union(new.keys) where old[name] != new[name] {
            set(name, from: before.flatMap { $0[name] } ?? .null, to: after.flatMap { $0[name] } ?? .null)
        }
    }

    /// The difference between a key's attributes; nil before creation and after deletion.
    public init(from before: KeyAttributes?, to after: KeyAttributes?) {
        self.init(
            from: before.map(\.auditMembers), to: after.map(\.auditMembers),
            absent: KeyAttributes(name: "").auditMembers)
    }

    /// The difference between limits of a plan or an owner; nil before creation and after deletion.
    init(from before: SharedLimits.Content?, to after: SharedLimits.Content?) {
        self.init(
            from: before.map(\.auditMembers), to: after.map(\.auditMembers),
            absent: SharedLimits.Content(limits: []).auditMembers)
    }

    /// The change of a key's secret by a rotation.
    public init(of key: AuthKey, by rotation: Rotation) {
        setSecret(from: key.redactedValue, to: rotation.secret.redactedValue)
        set("rotation_id", to: .string(rotation.id.description))
        set("grace_seconds", to: .integer(rotation.grace.components.seconds))
    }

    /// The number of imported keys.
    public init(importing count: Int) {
        set("imported", to: .integer(Int64(count)))
    }

    public mutating func set(_ name: String, from before: JSONValue = .null, to after: JSONValue = .null) {
        members[name] = .object(["from": before, "to": after])
    }

    /// Sets the redacted forms of a key's secret, before and after.
    public mutating func setSecret(from before: String? = nil, to after: String? = nil) {
        set("redacted_value", from: JSONValue(before), to: JSONValue(after))
    }

    /// The number of refused attempts that are missing from the trail.
    init(omitted count: Int) {
        set("omitted", to: .integer(Int64(count)))
    }

    public var json: JSONValue { .object(members) }
}

extension KeyAttributes {
    /// All attributes, under their names in the API.
    fileprivate var auditMembers: [String: JSONValue] {
        [
            "name": .string(name), "description": .string(description), "owner": JSONValue(owner),
            "scopes": JSONValue(scopes), "labels": JSONValue(labels),
            "metadata": .object(metadata), "enabled": .bool(enabled), "expires_at": JSONValue(expiresAt?.description),
            "not_before": JSONValue(notBefore?.description), "allowed_methods": JSONValue(allowedMethods),
            "allowed_paths": JSONValue(allowedPaths), "allowed_cidrs": JSONValue(allowedCIDRs),
            "limits": LimitRule.json(limits), "plan": JSONValue(plan), "credits": credits?.json ?? .null,
            "report_only": JSONValue(reportOnly), "self_rotation": .bool(selfRotation),
        ]
    }
}

extension SharedLimits.Content {
    fileprivate var auditMembers: [String: JSONValue] {
        ["description": .string(description), "limits": LimitRule.json(limits)]
    }
}

extension JSONValue {
    init(_ text: String?) {
        self = text.map { .string($0) } ?? .null
    }

    init(_ texts: [String]) {
        self = .array(texts.map { .string($0) })
    }

    public init(_ members: [String: String]) {
        self = .object(members.mapValues { .string($0) })
    }
}
