/// A permission of an admin. The raw value is its name in the API.
public enum AdminPermission: String, Sendable, CaseIterable {
    case keysRead = "keys:read"
    case keysWrite = "keys:write"
    case keysRotate = "keys:rotate"
    /// Changes of plans and of the limits of owners. A key's own limits need `keys:write`.
    case limitsWrite = "limits:write"
    case auditRead = "audit:read"
    case requestsRead = "requests:read"
    case verify
    /// Administration of admin keys.
    case admin
}
