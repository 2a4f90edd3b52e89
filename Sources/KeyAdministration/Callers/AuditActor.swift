public import AuthKeys

/// The actor of an audit event.
public enum AuditActor: Sendable, Equatable {
    /// The holder of the operator's bootstrap key.
    case bootstrap
    /// The name is the key's at that time.
    case adminKey(KeyID, name: String)
    /// The holder of a key, who changes the key itself. The name is the key's at that time.
    case keyHolder(KeyID, name: String)
    /// A caller that is not authenticated.
    case anonymous
    /// Keyward itself.
    case system

    private static let holderPrefix = "key:"

    /// The stored form, which the filter uses too: the id of an admin key, `key:` and the id of a key, or the kind.
    public var text: String {
        switch self {
        case .adminKey(let id, _): id.description
        case .keyHolder(let id, _): Self.holderPrefix + id.description
        case .bootstrap, .anonymous, .system: kind
        }
    }

    /// The key, or admin key, that the actor presented.
    public var keyID: KeyID? {
        switch self {
        case .adminKey(let id, _), .keyHolder(let id, _): id
        case .bootstrap, .anonymous, .system: nil
        }
    }

    /// The form that the API shows.
    public var kind: String {
        switch self {
        case .bootstrap: "bootstrap"
        case .adminKey: "admin_key"
        case .keyHolder: "key_holder"
        case .anonymous: "anonymous"
        case .system: "system"
        }
    }

    public var name: String? {
        switch self {
        case .adminKey(_, let name), .keyHolder(_, let name): name
        case .bootstrap, .anonymous, .system: nil
        }
    }

    /// Reads the stored form; nil for any other text.
    public init?(text: String, name: String?) {
        switch text {
        case Self.bootstrap.kind: self = .bootstrap
        case Self.anonymous.kind: self = .anonymous
        case Self.system.kind: self = .system
        default:
            if text.hasPrefix(Self.holderPrefix) {
                guard let id = KeyID(String(text.dropFirst(Self.holderPrefix.count))) else { return nil }
                self = .keyHolder(id, name: name ?? "")
            } else {
                guard let id = KeyID(text) else { return nil }
                self = .adminKey(id, name: name ?? "")
            }
        }
    }
}
