import AuthKeys
public import HTTPCredentials

/// The options for the verification of requests. They equal the gateway's settings of the same names.
public struct KeywardOptions: Sendable {
    /// The header fields that carry keys.
    public let credentials: CredentialPlaces
    let rules: ScopeRules
    let proxies: [IPNetwork]
    let passesPreflights: Bool

    /// Creates the default options: keys in `Authorization` and `X-API-Key`, no rules, no proxies, preflights accepted.
    public init() {
        self.init(credentials: [.authorization, .xAPIKey], rules: ScopeRules(), proxies: [], passesPreflights: true)
    }

    /// Creates options.
    /// - Parameters:
    ///   - require: the scopes that requests need by method and path, such as `GET /v1/documents/*=documents:read`. The
    ///     first rule that matches applies. Routes can demand further scopes.
    ///   - trustedProxies: the networks of proxies whose `X-Forwarded-For` is trusted, such as `10.0.0.0/8`.
    ///   - passesPreflights: true to accept CORS preflights without a key. The principal is then nil.
    /// - Throws: an error of the kind `option` for an invalid rule or network.
    public init(
        credentials: CredentialPlaces = [.authorization, .xAPIKey], require: [String] = [],
        trustedProxies: [String] = [],
        passesPreflights: Bool = true
    ) throws(KeywardError) {
        self.init(
            credentials: credentials,
            rules: ScopeRules(
                try Self.each(require, "require", "METHOD /path=scope") { ScopeRules.Rule($0) }),
            proxies: try Self.each(
                trustedProxies, "trustedProxies", "networks such as 10.0.0.0/8, or addresses"
            ) { IPNetwork($0) },
            passesPreflights: passesPreflights)
    }

    private init(credentials: CredentialPlaces, rules: ScopeRules, proxies: [IPNetwork], passesPreflights: Bool) {
        self.credentials = credentials
        self.rules = rules
        self.proxies = proxies
        self.passesPreflights = passesPreflights
    }

    private static func each<Value>(
        _ texts: [String], _ name: String, _ takes: String, _ value: (String) -> Value?
    ) throws(KeywardError) -> [Value] {
        var values: [Value] = []
        for text in texts {
            guard let value = value(text) else {
                throw KeywardError(.option, "\(name) takes \(takes): '\(text)' is invalid")
            }
            values.append(value)
        }
        return values
    }

    /// Returns a verifier of requests with these options.
    package func requests(
        verifiedBy verifier: KeyVerifier, usage: UsageRecorder? = nil, time: TimeSource = .system
    ) -> RequestVerifier {
        RequestVerifier(
            verifier: verifier, places: credentials, rules: rules, passesPreflights: passesPreflights, usage: usage,
            time: time)
    }
}
