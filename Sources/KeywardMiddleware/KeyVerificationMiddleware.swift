public import AuthKeys
public import Hummingbird

/// A request context that can say whom a request comes from.
public protocol KeyedRequestContext: RequestContext {
    /// Set once the key of the request was verified; nil before.
    var principal: Principal? { get set }
}

/// Lets requests with a good key in, in the process of a Hummingbird service: what the gateway does, without a hop.
///
/// It decides with the same `KeyVerifier`. The service runs an `IndexFollower` beside it, as `keyward serve` does, so that a
/// revocation reaches it as fast as any instance.
public struct KeyVerificationMiddleware<Context: KeyedRequestContext>: RouterMiddleware {
    private let verifier: KeyVerifier

    private let address: @Sendable (Request, Context) -> IPAddress?
    private let scopes: ScopeRules

    /// - Parameters:
    ///   - scopes: what requests need.
    ///   - address: where a request comes from, for keys that are limited to networks; without it they are refused.
    public init(
        verifier: KeyVerifier, scopes: ScopeRules = ScopeRules(),
        address: @escaping @Sendable (Request, Context) -> IPAddress? = { _, _ in nil }
    ) {
        self.verifier = verifier
        self.scopes = scopes
        self.address = address
    }

    public func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard let token = try RequestCredential.token(in: request.headers) else {
            _ = verifier.refuse(.missing)
            throw KeyVerificationError(.missing)
        }
        let (method, path) = (request.method.rawValue, request.uri.string)
        guard let needed = scopes.requirement(method: method, path: path) else {
            _ = verifier.refuse(.pathAmbiguous)
            throw KeyVerificationError(.pathAmbiguous)
        }
        let decision = await verifier.verify(
            token, method: method, path: path, address: address(request, context), scopes: needed)
        switch decision {
        case .refused(let refusal): throw KeyVerificationError(refusal)
        case .unavailable: throw KeyVerificationError.unavailable
        case .admitted(let principal):
            var context = context
            context.principal = principal
            return try await next(request, context)
        }
    }
}
