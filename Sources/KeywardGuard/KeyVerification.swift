public import AuthKeys
public import ServiceLifecycle

/// A service that verifies the keys of an app's requests: `Keyward` in production, `TestKeyward` in tests.
public protocol KeyVerification: Service {
    var options: KeywardOptions { get }
    /// The verifier of requests.
    var requests: RequestVerifier { get }
    /// Returns once keys can be verified, or once shutdown begins.
    /// - Throws: the error with which `run()` ended.
    func ready() async throws
}

extension KeyVerification {
    /// Creates a middleware that accepts requests with a valid key that has all of these scopes.
    /// - Precondition: each scope is a scope token of RFC 6749 section 3.3 without a wildcard. `keys(_:)` takes a
    ///   requirement that was validated before.
    public func keys<Context>(scopes: String...) -> KeyVerificationMiddleware<Context> {
        guard let requirement = ScopeRequirement(scopes) else {
            preconditionFailure("the scopes of a route must be scope tokens without wildcards, not \(scopes)")
        }
        return keys(requirement)
    }

    /// Creates a middleware that accepts requests with a valid key that meets the requirement.
    public func keys<Context>(_ requirement: ScopeRequirement) -> KeyVerificationMiddleware<Context> {
        KeyVerificationMiddleware(requests, scopes: requirement, trustedProxies: options.proxies)
    }

    /// Creates a middleware that accepts requests with a valid key, and requests without a key. It refuses invalid
    /// keys.
    public func optionalKeys<Context>() -> KeyVerificationMiddleware<Context> {
        KeyVerificationMiddleware(requests, trustedProxies: options.proxies, isOptional: true)
    }
}
