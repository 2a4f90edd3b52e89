/// The actor of an audit event.
public enum AuditActor: Sendable, Equatable {
    /// The holder of the operator's bootstrap key.
    case bootstrap
    /// The name is the key's at that time.
    case adminKey(KeyID, name: String)
    /// A caller that is not authenticated.
    case anonymous
    /// Keyward itself.
    case system

    /// The stored form, which the filter uses too: the id of an admin key, or the kind.
    public var text: String {
        if case .adminKey(let id, _) = self { id.description } else { kind }
    }

    /// The form that the API shows.
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

    /// Reads the stored form; nil for any other text.
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
