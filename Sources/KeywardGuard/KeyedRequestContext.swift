public import AuthKeys
public import Hummingbird

/// A request context that can say whom a request comes from.
///
/// One that conforms to Hummingbird's `RemoteAddressRequestContext` too lets in keys that are limited to networks; without it, no
/// address is known, and such keys are refused.
public protocol KeyedRequestContext: RequestContext {
    /// Set once the key of the request was verified; nil before, and where a request needs none.
    var principal: Principal? { get set }
}

extension KeyedRequestContext {
    /// Whom the request comes from.
    /// - Throws: the error for a request without a key, where nothing verified one.
    public func requirePrincipal() throws(KeyVerificationError) -> Principal {
        guard let principal else { throw KeyVerificationError(.missing) }
        return principal
    }
}
