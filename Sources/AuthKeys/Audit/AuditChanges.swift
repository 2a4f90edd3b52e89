/// What a change made of what: the members that it changed, each with its value before and after.
public struct AuditChanges: Sendable, Equatable {
    public private(set) var members: [String: JSONValue] = [:]

    public init() {}

    /// The members whose values are different.
    /// - Parameters:
    ///   - before: nil for something that was not there.
    ///   - after: nil for something that is not there any more.
    ///   - absent: what the members are of something that is not there.
    init(from before: [String: JSONValue]?, to after: [String: JSONValue]?, absent: [String: JSONValue]) {
        let (old, new) = (before ?? absent, after ?? absent)
        for name in Set(old.keys).union(new.keys) where old[name] != new[name] {
            set(name, from: before.flatMap { $0[name] } ?? .null, to: after.flatMap { $0[name] } ?? .null)
        }
    }

    /// What became of a key's attributes; nil for before there was a key, or after.
    public init(from before: KeyAttributes?, to after: KeyAttributes?) {
        self.init(
            from: before.map(\.auditMembers), to: after.map(\.auditMembers),
            absent: KeyAttributes(name: "").auditMembers)
    }

    /// What a rotation made of a key's secret.
    public init(of key: AuthKey, by rotation: Rotation) {
        setSecret(from: key.redactedValue, to: rotation.secret.redactedValue)
        set("rotation_id", to: .string(rotation.id.description))
        set("grace_seconds", to: .integer(rotation.grace.components.seconds))
    }

    /// What an import brought.
    public init(importing count: Int) {
        set("imported", to: .integer(Int64(count)))
    }

    public mutating func set(_ name: String, from before: JSONValue = .null, to after: JSONValue = .null) {
        members[name] = .object(["from": before, "to": after])
    }

    /// The redacted forms of a key's secret, before and after.
    public mutating func setSecret(from before: String? = nil, to after: String? = nil) {
        set("redacted_value", from: JSONValue(before), to: JSONValue(after))
    }

    /// The number of refused attempts that the trail does not have.
    init(omitted count: Int) {
        set("omitted", to: .integer(Int64(count)))
    }

    public var json: JSONValue { .object(members) }
}

extension KeyAttributes {
    /// All of them, under their names in the API.
    fileprivate var auditMembers: [String: JSONValue] {
        [
            "name": .string(name), "description": .string(description), "owner": JSONValue(owner),
            "scopes": JSONValue(scopes), "labels": JSONValue(labels),
            "metadata": .object(metadata), "enabled": .bool(enabled), "expires_at": JSONValue(expiresAt?.description),
            "not_before": JSONValue(notBefore?.description), "allowed_methods": JSONValue(allowedMethods),
            "allowed_paths": JSONValue(allowedPaths), "allowed_cidrs": JSONValue(allowedCIDRs),
            "report_only": JSONValue(reportOnly),
        ]
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
