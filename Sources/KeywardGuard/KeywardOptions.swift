public import AuthKeys
public import HTTPCredentials

/// What is looked at in requests: the gateway's settings of the same names.
public struct KeywardOptions: Sendable {
    /// Where a key is looked for.
    public let credentials: CredentialPlaces
    let rules: ScopeRules
    let proxies: [IPNetwork]
    let passesPreflights: Bool

    /// Keys in `Authorization` and `X-API-Key`; no rules, no proxies; preflights pass.
    public init() {
        self.init(credentials: [.authorization, .xAPIKey], rules: ScopeRules(), proxies: [], passesPreflights: true)
    }

    /// - Parameters:
    ///   - require: scopes that requests need by method and path, such as `GET /v1/documents/*=documents:read`; the first rule
    ///     that fits counts. Routes may need others beside them.
    ///   - trustedProxies: networks of proxies whose `X-Forwarded-For` is believed, such as `10.0.0.0/8`.
    ///   - passesPreflights: whether a CORS preflight passes without a key. Its handler then knows no principal.
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
                throw KeywardError(.option, "\(name) takes \(takes): '\(text)' is none")
            }
            values.append(value)
        }
        return values
    }

    /// Decides about requests with these options.
    package func requests(verifiedBy verifier: KeyVerifier, time: TimeSource = .system) -> RequestVerifier {
        RequestVerifier(
            verifier: verifier, places: credentials, rules: rules, passesPreflights: passesPreflights, time: time)
    }
}
