/// What admins say of a key, and may change.
public struct KeyAttributes: Sendable, Equatable {
    public var name: String
    /// Free text; empty when there is none.
    public var description: String
    /// Whom the key belongs to, in the operator's own terms; nil when that was not said.
    public var owner: String?
    /// What the key may do, in the operator's own terms.
    public var scopes: [String]
    /// For finding keys: names and values.
    public var labels: [String: String]
    /// A JSON object of the operator's.
    public var metadata: [String: JSONValue]
    /// A pause that can be taken back, apart from the deactivation, which cannot.
    public var enabled: Bool
    public var expiresAt: Timestamp?

    public init(
        name: String, description: String = "", owner: String? = nil, scopes: [String] = [],
        labels: [String: String] = [:], metadata: [String: JSONValue] = [:], enabled: Bool = true,
        expiresAt: Timestamp? = nil
    ) {
        self.name = name
        self.description = description
        self.owner = owner
        self.scopes = scopes
        self.labels = labels
        self.metadata = metadata
        self.enabled = enabled
        self.expiresAt = expiresAt
    }
}

/// A change of a key's attributes, as a JSON merge patch has it (RFC 7396): what is not named stays, null clears.
public struct KeyPatch: Sendable, Equatable {
    public enum Change<Value: Sendable & Equatable>: Sendable, Equatable {
        case unchanged
        case cleared
        case set(Value)
    }

    public var name = Change<String>.unchanged
    public var description = Change<String>.unchanged
    public var owner = Change<String>.unchanged
    public var scopes = Change<[String]>.unchanged
    /// Nil takes a label off.
    public var labels = Change<[String: String?]>.unchanged
    public var metadata = Change<[String: JSONValue]>.unchanged
    public var enabled = Change<Bool>.unchanged
    public var expiresAt = Change<Timestamp>.unchanged

    public init() {}

    /// The attributes after the change, not yet checked.
    public func applied(to attributes: KeyAttributes) -> KeyAttributes {
        var result = attributes
        Self.apply(name, to: &result.name, cleared: "")
        Self.apply(description, to: &result.description, cleared: "")
        Self.apply(scopes, to: &result.scopes, cleared: [])
        Self.apply(enabled, to: &result.enabled, cleared: true)
        switch owner {
        case .unchanged: break
        case .cleared: result.owner = nil
        case .set(let value): result.owner = value
        }
        switch expiresAt {
        case .unchanged: break
        case .cleared: result.expiresAt = nil
        case .set(let value): result.expiresAt = value
        }
        switch labels {
        case .unchanged: break
        case .cleared: result.labels = [:]
        case .set(let changes): for (label, value) in changes { result.labels[label] = value }
        }
        switch metadata {
        case .unchanged: break
        case .cleared: result.metadata = [:]
        case .set(let changes):
            if case .object(let merged) = JSONValue.object(result.metadata).merged(with: .object(changes)) {
                result.metadata = merged
            }
        }
        return result
    }

    private static func apply<Value>(_ change: Change<Value>, to value: inout Value, cleared: Value) {
        switch change {
        case .unchanged: break
        case .cleared: value = cleared
        case .set(let new): value = new
        }
    }
}
