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
    /// Before it the key opens nothing; nil for no such moment.
    public var notBefore: Timestamp?
    /// Methods of HTTP that the key is good for; empty for any.
    public var allowedMethods: [String]
    /// Patterns (`PathPattern`) of the paths that the key is good for; empty for any.
    public var allowedPaths: [String]
    /// Networks (`IPNetwork`) that the key may be used from; empty for any.
    public var allowedCIDRs: [String]
    /// Names of rules (`PolicyRule`) that only report what they would have refused.
    public var reportOnly: [String]

    public init(
        name: String, description: String = "", owner: String? = nil, scopes: [String] = [],
        labels: [String: String] = [:], metadata: [String: JSONValue] = [:], enabled: Bool = true,
        expiresAt: Timestamp? = nil, notBefore: Timestamp? = nil, allowedMethods: [String] = [],
        allowedPaths: [String] = [], allowedCIDRs: [String] = [], reportOnly: [String] = []
    ) {
        self.name = name
        self.description = description
        self.owner = owner
        self.scopes = scopes
        self.labels = labels
        self.metadata = metadata
        self.enabled = enabled
        self.expiresAt = expiresAt
        self.notBefore = notBefore
        self.allowedMethods = allowedMethods
        self.allowedPaths = allowedPaths
        self.allowedCIDRs = allowedCIDRs
        self.reportOnly = reportOnly
    }

    /// Whether the end of the key only reports.
    private var reportsExpiry: Bool { reportOnly.contains(PolicyRule.expiresAt.rawValue) }

    /// The entry of one of the key's secrets; of a disabled key where the policy makes no sense.
    public func entry(
        of digest: SecretDigest, id: KeyID, version: UInt32, deactivated: Bool = false,
        secretExpiresAt: Timestamp? = nil
    ) -> KeyEntry {
        let policy = KeyPolicy(
            expiresAt: reportsExpiry ? expiresAt : nil, notBefore: notBefore, cidrs: allowedCIDRs,
            methods: allowedMethods, paths: allowedPaths, reportOnly: reportOnly)
        let ownEnd = reportsExpiry ? nil : expiresAt
        return KeyEntry(
            digest: digest, keyID: id, version: version,
            state: deactivated ? .deactivated : enabled && policy != nil ? .active : .disabled,
            expiresAt: [ownEnd, secretExpiresAt].compactMap(\.self).min(),
            endsSecret: secretExpiresAt.map { end in ownEnd.map { end <= $0 } ?? true } ?? false, name: name,
            owner: owner, scopes: scopes.joined(separator: " "), policy: policy ?? .none,
            metadata: metadata.isEmpty ? "" : JSONValue.object(metadata).text)
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
    public var notBefore = Change<Timestamp>.unchanged
    public var allowedMethods = Change<[String]>.unchanged
    public var allowedPaths = Change<[String]>.unchanged
    public var allowedCIDRs = Change<[String]>.unchanged
    public var reportOnly = Change<[String]>.unchanged

    public init() {}

    /// The attributes after the change, not yet checked.
    public func applied(to attributes: KeyAttributes) -> KeyAttributes {
        var result = attributes
        Self.apply(name, to: &result.name, cleared: "")
        Self.apply(description, to: &result.description, cleared: "")
        Self.apply(scopes, to: &result.scopes, cleared: [])
        Self.apply(enabled, to: &result.enabled, cleared: true)
        Self.apply(owner, to: &result.owner)
        Self.apply(expiresAt, to: &result.expiresAt)
        Self.apply(notBefore, to: &result.notBefore)
        Self.apply(allowedMethods, to: &result.allowedMethods, cleared: [])
        Self.apply(allowedPaths, to: &result.allowedPaths, cleared: [])
        Self.apply(allowedCIDRs, to: &result.allowedCIDRs, cleared: [])
        Self.apply(reportOnly, to: &result.reportOnly, cleared: [])
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

    static func apply<Value>(_ change: Change<Value>, to value: inout Value?) {
        switch change {
        case .unchanged: break
        case .cleared: value = nil
        case .set(let new): value = new
        }
    }

    static func apply<Value>(_ change: Change<Value>, to value: inout Value, cleared: Value) {
        switch change {
        case .unchanged: break
        case .cleared: value = cleared
        case .set(let new): value = new
        }
    }
}
