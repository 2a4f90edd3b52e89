public import AuthKeys
import HTTPTypes
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
    private let verifier: RequestVerifier
    private let address: @Sendable (Request, Context) -> IPAddress?

    /// - Parameters:
    ///   - scopes: what requests need.
    ///   - address: where a request comes from, for keys that are limited to networks; without it they are refused.
    public init(
        verifier: KeyVerifier, places: CredentialPlaces = [.authorization, .xAPIKey],
        scopes: ScopeRules = ScopeRules(),
        address: @escaping @Sendable (Request, Context) -> IPAddress? = { _, _ in nil }
    ) {
        self.verifier = RequestVerifier(verifier: verifier, places: places, rules: scopes)
        self.address = address
    }

    public func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let outcome = await verifier.decide(
            RequestVerifier.Incoming(
                authorization: request.headers[values: .authorization],
                apiKey: HTTPField.Name("x-api-key").map { request.headers[values: $0] } ?? [],
                method: request.method.rawValue, path: request.uri.string, address: address(request, context),
                agent: request.headers[.userAgent]))
        if let error = KeyVerificationError(outcome) { throw error }
        var context = context
        if case .admitted(let principal) = outcome { context.principal = principal }
        return try await next(request, context)
    }
}
