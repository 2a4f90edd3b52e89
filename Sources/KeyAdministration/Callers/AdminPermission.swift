/// A permission of an admin. The raw value is its name in the API.
public enum AdminPermission: String, Sendable, CaseIterable {
    case keysRead = "keys:read"
    case keysWrite = "keys:write"
    case keysRotate = "keys:rotate"
    case auditRead = "audit:read"
    case requestsRead = "requests:read"
    case verify
    /// Administration of admin keys.
    case admin
}
