public import AuthKeys
public import Hummingbird

/// A request context that holds the principal of the request.
///
/// Keys that are limited to networks also need a conformance to Hummingbird's `RemoteAddressRequestContext`. Without it
/// the client address is unknown, and such keys are refused.
public protocol KeyedRequestContext: RequestContext {
    /// The principal, after the request's key was verified; nil before, and for an accepted request without a key.
    var principal: Principal? { get set }
}

extension KeyedRequestContext {
    /// Returns the principal of the request.
    /// - Throws: the error for a missing key if no middleware has verified one.
    public func requirePrincipal() throws(KeyVerificationError) -> Principal {
        guard let principal else { throw KeyVerificationError(.missing) }
        return principal
    }
}
