public import AuthKeys

/// The attributes of an admin key. All but the owner can be changed.
public struct AdminKeyAttributes: Sendable, Equatable {
    public var name: String
    public var permissions: Set<AdminPermission>
    /// The owner whose keys the admin key is limited to, with all owners below it; nil for all keys.
    public var owner: String?
    public var expiresAt: Timestamp?

    public init(
        name: String, permissions: Set<AdminPermission>, owner: String? = nil, expiresAt: Timestamp? = nil
    ) {
        self.name = name
        self.permissions = permissions
        self.owner = owner
        self.expiresAt = expiresAt
    }

    /// The permissions' names, in the order of their declaration.
    public var permissionNames: [String] {
        AdminPermission.allCases.filter(permissions.contains).map(\.rawValue)
    }

    var auditMembers: [String: JSONValue] {
        [
            "name": .string(name), "permissions": JSONValue(permissionNames), "owner": JSONValue(owner),
            "expires_at": JSONValue(expiresAt?.description),
        ]
    }
}

/// The record of an admin key. No secret and no digest is part of it.
@dynamicMemberLookup
public struct AdminKey: Sendable, Equatable {
    /// The prefix of all secrets of admin keys.
    public static let prefix = TokenPrefix.admin

    public let id: KeyID
    public var attributes: AdminKeyAttributes
    public let lastFour: String
    public let deactivatedAt: Timestamp?
    public let createdAt: Timestamp
    public let updatedAt: Timestamp
    /// The last authorized use, to the minute.
    public let lastUsedAt: Timestamp?
    /// Incremented by each change; starts at 1.
    public let version: Int64

    public init(
        id: KeyID, attributes: AdminKeyAttributes, lastFour: String, deactivatedAt: Timestamp?, createdAt: Timestamp,
        updatedAt: Timestamp, lastUsedAt: Timestamp?, version: Int64
    ) {
        self.id = id
        self.attributes = attributes
        self.lastFour = lastFour
        self.deactivatedAt = deactivatedAt
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.lastUsedAt = lastUsedAt
        self.version = version
    }

    public subscript<Value>(dynamicMember path: KeyPath<AdminKeyAttributes, Value>) -> Value {
        attributes[keyPath: path]
    }

    public var redactedValue: String { AuthKey.redact(prefix: "\(Self.prefix)_", lastFour: lastFour) }

    /// Returns true if the key is valid at that time.
    public func isActive(at now: Timestamp) -> Bool {
        deactivatedAt == nil && attributes.expiresAt.map { $0 > now } ?? true
    }

    /// The admin that the key authenticates.
    public var admin: Admin {
        Admin(
            actor: .adminKey(id, name: attributes.name), permissions: attributes.permissions, owner: attributes.owner,
            expiresAt: attributes.expiresAt)
    }

    /// Returns the reach of the key: whether it can administer admin keys, and for how long.
    public func reach(at now: Timestamp) -> AdminReach {
        guard isActive(at: now), attributes.permissions.contains(.admin), attributes.owner == nil else { return .none }
        return attributes.expiresAt == nil ? .lasting : .passing
    }
}

/// The ability to administer admin keys, and its duration.
public enum AdminReach: Int, Sendable, Comparable {
    case none
    /// Until an expiry.
    case passing
    case lasting

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// A validated admin key to be stored.
public struct NewAdminKey: Sendable, Equatable {
    public let id: KeyID
    public let attributes: AdminKeyAttributes
    public let secret: NewSecret

    public init(id: KeyID, attributes: AdminKeyAttributes, secret: NewSecret) {
        self.id = id
        self.attributes = attributes
        self.secret = secret
    }
}

/// A change of an admin key, analogous to `KeyPatch`.
public struct AdminKeyPatch: Sendable, Equatable {
    public var name = KeyPatch.Change<String>.unchanged
    public var permissions = KeyPatch.Change<Set<AdminPermission>>.unchanged
    public var expiresAt = KeyPatch.Change<Timestamp>.unchanged

    public init() {}

    /// Returns the attributes after the change, not validated yet.
    public func applied(to attributes: AdminKeyAttributes) -> AdminKeyAttributes {
        var result = attributes
        KeyPatch.apply(name, to: &result.name, cleared: "")
        KeyPatch.apply(permissions, to: &result.permissions, cleared: [])
        KeyPatch.apply(expiresAt, to: &result.expiresAt)
        return result
    }
}

extension AuditChanges {
    /// The difference between an admin key's attributes before and after a change; `before` is nil for a new key.
    public init(from before: AdminKeyAttributes?, to after: AdminKeyAttributes) {
        self.init(
            from: before.map(\.auditMembers), to: after.auditMembers,
            absent: AdminKeyAttributes(name: "", permissions: []).auditMembers)
    }
}

extension ListCursor {
    /// Creates the position right after an admin key.
    public init(after key: AdminKey) {
        self.init(order: .newestFirst, moment: key.createdAt, name: key.name, id: key.id)
    }
}
