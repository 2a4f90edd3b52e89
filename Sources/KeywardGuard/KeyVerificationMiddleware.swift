public import AuthKeys
public import HTTPCredentials
import HTTPTypes
public import Hummingbird
import NIOCore

/// Lets requests with a good key in, in the process of a Hummingbird app: the gateway's decision, without a hop.
///
/// `KeyVerification` makes it. Handlers find who calls in `context.principal`; the request they get is as it came, its
/// credential in it. Where a request passes several of these, each decides, and the first counts the use of the key.
public struct KeyVerificationMiddleware<Context: KeyedRequestContext>: RouterMiddleware {
    private let requests: RequestVerifier
    private let scopes: ScopeRequirement
    private let proxies: [IPNetwork]
    private let isOptional: Bool
    private let knowsAddresses = Context.self is any RemoteAddressRequestContext.Type

    /// - Parameters:
    ///   - scopes: what requests need, beside what the rules of `requests` say.
    ///   - trustedProxies: whose `X-Forwarded-For` is believed.
    ///   - isOptional: whether requests without a key pass.
    public init(
        _ requests: RequestVerifier, scopes: ScopeRequirement = .none, trustedProxies: [IPNetwork] = [],
        isOptional: Bool = false
    ) {
        self.requests = requests
        self.scopes = scopes
        self.proxies = trustedProxies
        self.isOptional = isOptional
    }

    public func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let incoming = incoming(request, context)
        if isOptional, !requests.carriesCredential(incoming) { return try await next(request, context) }
        let outcome = await requests.decide(incoming)
        if let error = KeyVerificationError(outcome) { throw error }
        var context = context
        if case .admitted(let principal) = outcome { context.principal = principal }
        return try await next(request, context)
    }

    private func incoming(_ request: Request, _ context: Context) -> RequestVerifier.Incoming {
        let headers = request.headers
        return RequestVerifier.Incoming(
            authorization: headers[values: .authorization], apiKey: headers[values: .xAPIKey],
            // The path that the router goes by.
            method: request.method.rawValue, path: request.uri.path, address: address(request, context),
            agent: headers[.userAgent],
            isPreflight: request.method == .options && headers[values: .origin].count == 1
                && headers[values: .accessControlRequestMethod].count == 1 && !Self.hasBody(headers),
            scopes: scopes, countsUse: context.principal == nil)
    }

    /// Where a request comes from: the last address before the trusted proxies. Nil if that is not known.
    private func address(_ request: Request, _ context: Context) -> IPAddress? {
        guard knowsAddresses, let peer = (context as? any RemoteAddressRequestContext)?.remoteAddress?.ipAddress else {
            return nil
        }
        let address = IPAddress(peer)
        if proxies.isEmpty { return address }
        let forwarded = request.headers[values: .xForwardedFor].map(\.utf8)
        return ForwardedAddresses(forwarded, from: address).client(before: proxies)
    }

    private static func hasBody(_ headers: HTTPFields) -> Bool {
        headers[.transferEncoding] != nil || headers[.contentLength].map { $0 != "0" } ?? false
    }
}

extension HTTPField.Name {
    fileprivate static let xAPIKey = named("X-API-Key")
    fileprivate static let xForwardedFor = named("X-Forwarded-For")

    private static func named(_ token: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(token) else { preconditionFailure("\(token) is a token") }
        return name
    }
}
