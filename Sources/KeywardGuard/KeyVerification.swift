public import AuthKeys
public import HTTPCredentials
public import ServiceLifecycle

/// What verifies the keys of an app's requests: `Keyward` where it runs, `TestKeyward` in its tests.
public protocol KeyVerification: Service {
    var options: KeywardOptions { get }
    /// Decides about requests.
    var requests: RequestVerifier { get }
    /// Returns once keys can be verified, or once shutdown begins.
    /// - Throws: what `run()` ended with.
    func ready() async throws
}

extension KeyVerification {
    /// Lets in requests with a good key that has these scopes, all of them.
    /// - Precondition: each is a scope token of RFC 6749 section 3.3 without a wildcard. `keys(_:)` takes what was checked before.
    public func keys<Context>(scopes: String...) -> KeyVerificationMiddleware<Context> {
        guard let requirement = ScopeRequirement(scopes) else {
            preconditionFailure("a route needs scopes without blanks and wildcards, not \(scopes)")
        }
        return keys(requirement)
    }

    /// Lets in requests with a good key that has what is required.
    public func keys<Context>(_ requirement: ScopeRequirement) -> KeyVerificationMiddleware<Context> {
        KeyVerificationMiddleware(requests, scopes: requirement, trustedProxies: options.proxies)
    }

    /// Lets in requests without a key too; one that brings a key has to bring a good one.
    public func optionalKeys<Context>() -> KeyVerificationMiddleware<Context> {
        KeyVerificationMiddleware(requests, trustedProxies: options.proxies, isOptional: true)
    }
}
