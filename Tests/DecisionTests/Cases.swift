/// The verdict on a request: admitted, or refused with an error code.
enum Verdict: String {
    case admitted
    case missing = "key_missing"
    case malformed = "key_malformed"
    case unknown = "key_unknown"
    case inactive = "key_inactive"
    case expired = "key_expired"
    case early = "key_not_yet_valid"
    case network = "ip_not_allowed"
    case method = "method_not_allowed"
    case path = "path_not_allowed"
    case scope = "scope_missing"
    case twoWays = "path_ambiguous"
    case twoKeys = "ambiguous_credentials"

    /// The status of the gateway's response.
    var status: Int {
        switch self {
        case .admitted: 200
        case .missing, .malformed, .unknown, .inactive, .expired, .early: 401
        case .network, .method, .path, .scope: 403
        case .twoWays, .twoKeys: 400
        }
    }

    /// The codes of `/v1/verify` for the verdict; empty if the API cannot express the request.
    var verifyCodes: Set<String> {
        switch self {
        case .admitted: ["VALID"]
        case .unknown: ["NOT_FOUND"]
        case .malformed: ["MALFORMED"]
        case .inactive: ["DISABLED", "DEACTIVATED"]
        case .expired: ["EXPIRED"]
        case .early: ["NOT_YET_VALID"]
        case .network: ["IP_NOT_ALLOWED"]
        case .method: ["METHOD_NOT_ALLOWED"]
        case .path: ["PATH_NOT_ALLOWED"]
        case .scope: ["SCOPE_MISSING"]
        case .twoWays: ["PATH_AMBIGUOUS"]
        case .missing, .twoKeys: []
        }
    }
}

/// A request to the API.
struct Call {
    let method: String
    let path: String
    let client: String

    static let read = Call(method: "GET", path: "/v1/documents/7", client: "192.0.2.7")
    static let delete = Call(method: "DELETE", path: "/v1/documents/7?soft=1", client: "192.0.2.7")
    static let post = Call(method: "POST", path: "/v1/things", client: "192.0.2.7")
    static let other = Call(method: "GET", path: "/v2/other", client: "192.0.2.7")
    static let v6 = Call(method: "GET", path: "/v1/things", client: "2001:db8::1")
    static let far = Call(method: "GET", path: "/v1/things", client: "198.51.100.9")
    static let twoWays = Call(method: "GET", path: "/v1/things/%2e%2e/x", client: "192.0.2.7")

    static let all = [read, delete, post, other, v6, far, twoWays]
    /// The scopes that requests need, with the same rules at every entry point.
    static let rules = ["GET /v1/documents/*=documents:read", "DELETE /v1/**=documents:delete"]
}

/// A key, and the verdict on each of `Call.all` with it.
struct KeyCase {
    enum Ending {
        case none, deactivated, expired
    }

    let name: String
    /// Members of the request that creates the key.
    let members: String
    var ending = Ending.none
    let verdicts: [Verdict]

    static let all: [KeyCase] = [
        KeyCase("without limits", "", [.scope, .scope, .admitted, .admitted, .admitted, .admitted]),
        KeyCase("a scope", scopes("documents:read"), [.admitted, .scope, .admitted, .admitted, .admitted, .admitted]),
        KeyCase(
            "a wildcard", scopes("documents:*"), [.admitted, .admitted, .admitted, .admitted, .admitted, .admitted]),
        KeyCase(
            "another's scopes", scopes("invoices:*"), [.scope, .scope, .admitted, .admitted, .admitted, .admitted]),
        KeyCase("methods", methods + wide, [.admitted, .method, .method, .admitted, .admitted, .admitted]),
        KeyCase("methods before scopes", methods, [.scope, .method, .method, .admitted, .admitted, .admitted]),
        KeyCase("paths", paths + wide, [.admitted, .admitted, .admitted, .path, .admitted, .admitted]),
        KeyCase(
            "one segment", #","allowed_paths":["/v1/*"]"# + wide,
            [.path, .path, .admitted, .path, .admitted, .admitted]),
        KeyCase("a network", network + wide, [.admitted, .admitted, .admitted, .admitted, .network, .network]),
        KeyCase(
            "a network of IPv6", #","allowed_cidrs":["2001:db8::/32"]"# + wide,
            [.network, .network, .network, .network, .admitted, .network]),
        KeyCase(
            "networks of both", #","allowed_cidrs":["192.0.2.7","2001:db8::/64"]"# + wide,
            [.admitted, .admitted, .admitted, .admitted, .admitted, .network]),
        KeyCase("all limits", limits, [.admitted, .method, .method, .path, .network, .network]),
        KeyCase(
            "all limits, which only report",
            limits + #","report_only":["allowed_methods","allowed_paths","allowed_cidrs","scopes"]"#,
            [.admitted, .admitted, .admitted, .admitted, .admitted, .admitted]),
        KeyCase(
            "all limits, methods only report", limits + #","report_only":["allowed_methods"]"#,
            [.admitted, .scope, .admitted, .path, .network, .network]),
        KeyCase(
            "all limits, networks only report", limits + #","report_only":["allowed_cidrs"]"#,
            [.admitted, .method, .method, .path, .admitted, .admitted]),
        KeyCase("paused", #","enabled":false"# + wide, always(.inactive)),
        KeyCase("paused, before its limits", #","enabled":false"# + limits, always(.inactive)),
        KeyCase("deactivated", wide, ending: .deactivated, always(.inactive)),
        KeyCase("expired", wide, ending: .expired, always(.expired)),
        KeyCase("expired, before its limits", limits, ending: .expired, always(.expired)),
        KeyCase("not yet valid", #","not_before":"2999-01-01T00:00:00Z""# + wide, always(.early)),
        KeyCase(
            "valid between two moments",
            #","not_before":"2020-01-01T00:00:00Z","expires_at":"2999-01-01T00:00:00Z""# + wide,
            [.admitted, .admitted, .admitted, .admitted, .admitted, .admitted]),
    ]

    /// - Parameter verdicts: the verdicts on all but the last call. Its path is ambiguous, and it is refused with every
    ///   key.
    private init(_ name: String, _ members: String, ending: Ending = .none, _ verdicts: [Verdict]) {
        self.name = name
        self.members = members
        self.ending = ending
        self.verdicts = verdicts + [.twoWays]
    }

    private static let wide = scopes("documents:*")
    private static let methods = #","allowed_methods":["GET"]"#
    private static let paths = #","allowed_paths":["/v1/**"]"#
    private static let network = #","allowed_cidrs":["192.0.2.0/24"]"#
    private static let limits = methods + paths + network + scopes("documents:read")

    private static func scopes(_ scope: String) -> String { #","scopes":["\#(scope)"]"# }
    private static func always(_ verdict: Verdict) -> [Verdict] { Array(repeating: verdict, count: 6) }
}

/// A set of credential fields, and the verdict on `Call.post` with them.
struct CredentialCase {
    let name: String
    let fields: [(String, String)]
    /// The token to ask about; nil if the case depends on the request's fields.
    let token: String?
    let verdict: Verdict

    /// - Parameters:
    ///   - valid: a token that grants full access.
    ///   - replaced: the token that `valid` replaced, within its grace period.
    ///   - expired: a token whose grace period was ended early.
    ///   - unknown: a token of a deleted key.
    static func all(valid: String, replaced: String, expired: String, unknown: String) -> [CredentialCase] {
        let broken = String(valid.dropLast()) + (valid.hasSuffix("A") ? "B" : "A")
        return [
            CredentialCase("none", [], nil, .missing),
            CredentialCase("a Bearer token", [("Authorization", "Bearer \(valid)")], valid, .admitted),
            CredentialCase("a scheme in capitals", [("Authorization", "BEARER \(valid)")], valid, .admitted),
            CredentialCase("a field of its own", [("X-API-Key", valid)], valid, .admitted),
            CredentialCase("a replaced token", [("Authorization", "Bearer \(replaced)")], replaced, .admitted),
            CredentialCase(
                "a token after its grace period", [("Authorization", "Bearer \(expired)")], expired, .expired),
            CredentialCase("an unknown token", [("X-API-Key", unknown)], unknown, .unknown),
            CredentialCase("a wrong check digit", [("Authorization", "Bearer \(broken)")], broken, .malformed),
            CredentialCase("no token at all", [("X-API-Key", "junk")], "junk", .malformed),
            CredentialCase(
                "a token that is too long", [("X-API-Key", valid + valid + valid)], valid + valid + valid, .malformed),
            CredentialCase(
                "one token in both fields", [("Authorization", "Bearer \(valid)"), ("X-API-Key", valid)], nil, .admitted
            ),
            CredentialCase(
                "different tokens in both fields", [("Authorization", "Bearer \(valid)"), ("X-API-Key", replaced)], nil,
                .twoKeys),
            CredentialCase("a field twice", [("X-API-Key", valid), ("X-API-Key", replaced)], nil, .twoKeys),
        ]
    }

    private init(_ name: String, _ fields: [(String, String)], _ token: String?, _ verdict: Verdict) {
        self.name = name
        self.fields = fields
        self.token = token
        self.verdict = verdict
    }
}
