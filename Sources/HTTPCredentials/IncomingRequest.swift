public import AuthKeys

/// A request whose attributes are strings, as every entry point but the gateway has it.
public struct IncomingRequest: Sendable {
    public var credential: Credential<String>
    /// Empty if unknown.
    public var method: String
    /// Percent-encoded, with or without its query; empty if unknown.
    public var path: String
    public var address: IPAddress?
    /// The value of `User-Agent`.
    public var agent: String?
    /// True for a CORS preflight.
    public var isPreflight: Bool
    /// Needed scopes, in addition to those of the rules.
    public var scopes: ScopeRequirement
    /// The units that the request takes from the limits of its key.
    public var spending: Spending

    public init(
        credential: Credential<String>, method: String = "", path: String = "", address: IPAddress? = nil,
        agent: String? = nil, isPreflight: Bool = false, scopes: ScopeRequirement = .none, spending: Spending = .one
    ) {
        self.credential = credential
        self.method = method
        self.path = path
        self.address = address
        self.agent = agent
        self.isPreflight = isPreflight
        self.scopes = scopes
        self.spending = spending
    }

    /// Calls `body` with the request as bytes.
    func withView<R>(_ body: (RequestView) -> R) -> R {
        var (method, path) = (method, path)
        return credential.withBytes { credential in
            method.withUTF8 { method in
                path.withUTF8 { path in
                    let access = AccessRequest(
                        method: UnsafeRawBufferPointer(method), path: UnsafeRawBufferPointer(path),
                        address: address, scopes: scopes, spending: spending)
                    return body(RequestView(credential: credential, isPreflight: isPreflight, access: access))
                }
            }
        }
    }
}
