/// Who acted.
public enum AuditActor: Sendable, Equatable {
    /// Whoever holds the key that the operator started Keyward with.
    case bootstrap
    /// The name is the key's at that time.
    case adminKey(KeyID, name: String)
    /// Nobody that is known.
    case anonymous
    /// Keyward itself.
    case system

    /// As it is kept and filtered by: the id of an admin key, or the kind.
    public var text: String {
        if case .adminKey(let id, _) = self { id.description } else { kind }
    }

    /// As the API shows it.
    public var kind: String {
        switch self {
        case .bootstrap: "bootstrap"
        case .adminKey: "admin_key"
        case .anonymous: "anonymous"
        case .system: "system"
        }
    }

    public var name: String? {
        if case .adminKey(_, let name) = self { name } else { nil }
    }

    /// From what is kept; nil for what is none of them.
    public init?(text: String, name: String?) {
        switch text {
        case Self.bootstrap.kind: self = .bootstrap
        case Self.anonymous.kind: self = .anonymous
        case Self.system.kind: self = .system
        default:
            guard let id = KeyID(text) else { return nil }
            self = .adminKey(id, name: name ?? "")
        }
    }
}
