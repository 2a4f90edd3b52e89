/// A rule of a key's policy, in evaluation order. The raw values are the names of the key's members.
public enum PolicyRule: String, Sendable, CaseIterable {
    case expiresAt = "expires_at"
    case notBefore = "not_before"
    case allowedCIDRs = "allowed_cidrs"
    case allowedMethods = "allowed_methods"
    case allowedPaths = "allowed_paths"
    case scopes
    /// The rate limits, quotas and concurrency limits. A single one is named `limits.NAME` among the report-only rules.
    case limits
    case credits
}

/// A set of rules.
public struct PolicyRules: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    public init(_ rule: PolicyRule) {
        switch rule {
        case .expiresAt: rawValue = 1
        case .notBefore: rawValue = 2
        case .allowedCIDRs: rawValue = 4
        case .allowedMethods: rawValue = 8
        case .allowedPaths: rawValue = 16
        case .scopes: rawValue = 32
        case .limits: rawValue = 64
        case .credits: rawValue = 128
        }
    }

    public init(_ rules: some Sequence<PolicyRule>) {
        self = rules.reduce(into: []) { $0.insert(PolicyRules($1)) }
    }

    public func contains(_ rule: PolicyRule) -> Bool { contains(PolicyRules(rule)) }
}
