public import AuthKeys

/// An authenticated admin.
public struct Admin: Sendable, Equatable {
    public let actor: AuditActor
    public let permissions: Set<AdminPermission>
    /// The owner whose keys the admin is limited to, with all owners below it; nil for all keys.
    public let owner: String?
    /// The time at which the credential expires; nil for never.
    public let expiresAt: Timestamp?

    public init(
        actor: AuditActor, permissions: Set<AdminPermission>, owner: String? = nil, expiresAt: Timestamp? = nil
    ) {
        self.actor = actor
        self.permissions = permissions
        self.owner = owner
        self.expiresAt = expiresAt
    }

    /// The admin that presents the operator's bootstrap key. It has all permissions.
    public static let bootstrap = Admin(actor: .bootstrap, permissions: Set(AdminPermission.allCases))

    public func may(_ permission: AdminPermission) -> Bool { permissions.contains(permission) }

    /// The owners whose keys the admin may see.
    public var owners: OwnerScope { OwnerScope(owner: owner) }

    /// Returns true if the admin may see objects of this owner.
    public func sees(owner other: String?) -> Bool { owners.contains(other) }
}

/// An admin's request: the admin, the origin and the request id.
public struct AdminCall: Sendable, Equatable {
    public let admin: Admin
    public let origin: CallOrigin

    public init(admin: Admin, origin: CallOrigin) {
        self.admin = admin
        self.origin = origin
    }
}

/// The origin of a request.
public struct CallOrigin: Sendable, Equatable {
    /// The peer's address; empty if the peer has none.
    public let address: String
    public let requestID: String

    public init(address: String, requestID: String) {
        self.address = address
        self.requestID = requestID
    }
}
