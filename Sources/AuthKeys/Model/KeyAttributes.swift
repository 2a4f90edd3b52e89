/// The attributes of a key that admins set and may change. CONTRIBUTING.md lists what a new one concerns.
public struct KeyAttributes: Sendable, Equatable {
    public var name: String
    /// Free text; empty for none.
    public var description: String
    /// The owner of the key, in the operator's terms; nil for none.
    public var owner: String?
    /// The scopes of the key, in the operator's terms.
    public var scopes: [String]
    /// Names and values by which admins find keys.
    public var labels: [String: String]
    /// A JSON object of the operator.
    public var metadata: [String: JSONValue]
    /// False while the key is disabled. Unlike a deactivation, this can be undone.
    public var enabled: Bool
    public var expiresAt: Timestamp?
    /// The time before which the key grants no access; nil for none.
    public var notBefore: Timestamp?
    /// The HTTP methods that the key is valid for; empty for any.
    public var allowedMethods: [String]
    /// Patterns (`PathPattern`) of the paths that the key is valid for; empty for any.
    public var allowedPaths: [String]
    /// Networks (`IPNetwork`) that the key may be used from; empty for any.
    public var allowedCIDRs: [String]
    /// The key's own limits.
    public var limits: [LimitRule]
    /// The name of the plan whose limits the key has; nil for none. A limit of the key replaces the plan's limit of the
    /// same name.
    public var plan: String?
    /// The units that the key may spend; nil if it spends none.
    public var credits: KeyCredits?
    /// Names of the rules (`KeyPolicy.rule`) that report requests instead of refusing them.
    public var reportOnly: [String]
    /// True if the holder of the key may rotate it.
    public var selfRotation: Bool

    public init(
        name: String, description: String = "", owner: String? = nil, scopes: [String] = [],
        labels: [String: String] = [:], metadata: [String: JSONValue] = [:], enabled: Bool = true,
        expiresAt: Timestamp? = nil, notBefore: Timestamp? = nil, allowedMethods: [String] = [],
        allowedPaths: [String] = [], allowedCIDRs: [String] = [], limits: [LimitRule] = [], plan: String? = nil,
        credits: KeyCredits? = nil, reportOnly: [String] = [], selfRotation: Bool = false
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
        self.limits = limits
        self.plan = plan
        self.credits = credits
        self.reportOnly = reportOnly
        self.selfRotation = selfRotation
    }

    /// True if the expiry of the key only reports.
    private var reportsExpiry: Bool { reportOnly.contains(PolicyRule.expiresAt.rawValue) }

    /// Returns the index entry of one of the key's secrets. If the policy is invalid, the entry is that of a disabled
    /// key.
    public func entry(
        of digest: SecretDigest, id: KeyID, version: UInt32, deactivated: Bool = false,
        secretExpiresAt: Timestamp? = nil
    ) -> KeyEntry {
        let policy = KeyPolicy(
            expiresAt: reportsExpiry ? expiresAt : nil, notBefore: notBefore, cidrs: allowedCIDRs,
            methods: allowedMethods, paths: allowedPaths, limits: limits, plan: plan,
            hasCredits: credits != nil, reportOnly: reportOnly)
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

/// A change of a key's attributes as a JSON merge patch (RFC 7396): members that are left out stay, null clears.
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
    /// Nil removes a label.
    public var labels = Change<[String: String?]>.unchanged
    public var metadata = Change<[String: JSONValue]>.unchanged
    public var enabled = Change<Bool>.unchanged
    public var expiresAt = Change<Timestamp>.unchanged
    public var notBefore = Change<Timestamp>.unchanged
    public var allowedMethods = Change<[String]>.unchanged
    public var allowedPaths = Change<[String]>.unchanged
    public var allowedCIDRs = Change<[String]>.unchanged
    public var limits = Change<[LimitRule]>.unchanged
    public var plan = Change<String>.unchanged
    public var credits = Change<CreditsPatch>.unchanged
    public var reportOnly = Change<[String]>.unchanged
    public var selfRotation = Change<Bool>.unchanged

    public init() {}

    /// Returns the attributes after the change, not validated yet.
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
        Self.apply(limits, to: &result.limits, cleared: [])
        Self.apply(plan, to: &result.plan)
        Self.apply(reportOnly, to: &result.reportOnly, cleared: [])
        Self.apply(selfRotation, to: &result.selfRotation, cleared: false)
        switch credits {
        case .unchanged: break
        case .cleared: result.credits = nil
        case .set(let change): result.credits = change.applied(to: result.credits)
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

    package static func apply<Value>(_ change: Change<Value>, to value: inout Value?) {
        switch change {
        case .unchanged: break
        case .cleared: value = nil
        case .set(let new): value = new
        }
    }

    package static func apply<Value>(_ change: Change<Value>, to value: inout Value, cleared: Value) {
        switch change {
        case .unchanged: break
        case .cleared: value = cleared
        case .set(let new): value = new
        }
    }
}
