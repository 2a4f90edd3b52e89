/// Somebody whom an admin credential was good for.
public struct Admin: Sendable, Equatable {
    public let actor: AuditActor
    public let permissions: Set<AdminPermission>
    /// Whose keys alone it may see and change; nil for all.
    public let owner: String?
    /// When the credential ends; nil for never.
    public let expiresAt: Timestamp?

    public init(
        actor: AuditActor, permissions: Set<AdminPermission>, owner: String? = nil, expiresAt: Timestamp? = nil
    ) {
        self.actor = actor
        self.permissions = permissions
        self.owner = owner
        self.expiresAt = expiresAt
    }

    /// Whoever holds the key that the operator started Keyward with: may do all there is.
    public static let bootstrap = Admin(actor: .bootstrap, permissions: Set(AdminPermission.allCases))

    public func may(_ permission: AdminPermission) -> Bool { permissions.contains(permission) }

    /// Whether something of that owner's is any of this admin's business. Owners are compared as PostgreSQL does, byte by byte: to
    /// Swift, texts are equal that look alike (Unicode's canonical equivalence), such as `K` and the sign for Kelvin.
    public func sees(owner other: String?) -> Bool {
        guard let owner else { return true }
        return other?.utf8.elementsEqual(owner.utf8) ?? false
    }
}

/// An admin's request: who asks, from where, and what the request is called.
public struct AdminCall: Sendable, Equatable {
    public let admin: Admin
    public let origin: CallOrigin

    public init(admin: Admin, origin: CallOrigin) {
        self.admin = admin
        self.origin = origin
    }
}

/// Where a request comes from.
public struct CallOrigin: Sendable, Equatable {
    /// The peer's address; empty where it has none.
    public let address: String
    public let requestID: String

    public init(address: String, requestID: String) {
        self.address = address
        self.requestID = requestID
    }
}
