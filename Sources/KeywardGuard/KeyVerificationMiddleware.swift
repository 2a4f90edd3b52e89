public import AuthKeys
public import HTTPCredentials
import HTTPTypes
public import Hummingbird
import NIOCore

/// A middleware that accepts requests with a valid key, in the process of a Hummingbird app. It decides as the gateway
/// does.
///
/// `KeyVerification` creates it. Handlers read the caller from `context.principal`. They get the request unchanged,
/// with its credential. If a request passes several of these middlewares, each decides. Only the first counts the use
/// of the key, and takes units from its limits. It holds a slot of concurrency limits until the body of the response is
/// sent. Responses of the app get the fields that state what is left. Responses that the app throws as errors do not.
public struct KeyVerificationMiddleware<Context: KeyedRequestContext>: RouterMiddleware {
    private let requests: RequestVerifier
    private let scopes: ScopeRequirement
    private let proxies: [IPNetwork]
    private let isOptional: Bool
    private let knowsAddresses = Context.self is any RemoteAddressRequestContext.Type

    /// Creates a middleware.
    /// - Parameters:
    ///   - scopes: the scopes that requests need in addition to those that the rules of `requests` demand.
    ///   - trustedProxies: the networks of proxies whose `X-Forwarded-For` is trusted.
    ///   - isOptional: true to accept requests without a key.
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
        guard requests.isRecording, !Recording.isUnderWay else {
            let admitted = try await admit(incoming, context)
            return admitted.stated(in: try await next(request, admitted.context))
        }
        // The first middleware of a request records it.
        let began = Timestamp.now
        var decision = RequestDecision(status: 200)
        func record(_ decision: RequestDecision, status: Int) {
            requests.record(decision, of: incoming, id: .generate(at: began), status: status, began: began)
        }
        do {
            let admitted = try await admit(incoming, context)
            decision = admitted.decision
            let response = try await Recording.$isUnderWay.withValue(true) {
                try await next(request, admitted.context)
            }
            record(decision, status: response.status.code)
            return admitted.stated(in: response)
        } catch let error as KeyVerificationError {
            record(
                RequestDecision(status: error.status.code, code: error.code, key: error.key ?? decision.key),
                status: error.status.code)
            throw error
        } catch {
            record(decision, status: (error as? any HTTPResponseError)?.status.code ?? 500)
            throw error
        }
    }

    /// An admitted request.
    private struct Admitted {
        var decision = RequestDecision(status: 200)
        var context: Context
        /// The limits of the key, after the request.
        var limits: [LimitStatus] = []
        /// The slots that the request holds; nil for none.
        var slots: HeldSlots?

        /// Returns a response with the fields that state the limits. The request holds its slots until the body of the
        /// response is sent.
        func stated(in response: Response) -> Response {
            if limits.isEmpty { return response }
            var response = response
            response.headers.add(limits)
            if let slots {
                let body = response.body
                response.body = ResponseBody(contentLength: body.contentLength) { writer in
                    defer { slots.release() }
                    try await body.write(writer)
                }
            }
            return response
        }
    }

    /// Decides about a request. Counts the use of its key, and takes units from its limits, unless an earlier
    /// middleware has.
    /// - Throws: `KeyVerificationError` if the request is refused.
    private func admit(_ incoming: IncomingRequest, _ context: Context) async throws -> Admitted {
        var admitted = Admitted(context: context)
        if isOptional, incoming.credential == .none { return admitted }
        var incoming = incoming
        incoming.spending.holdsSlots = true
        if context.principal != nil { incoming.spending = .none }
        let outcome = await requests.decide(incoming)
        if let error = KeyVerificationError(outcome) { throw error }
        if case .verdict(.admitted(let key, let profile), _) = outcome {
            if context.principal == nil { requests.countUse(of: key, by: incoming) }
            admitted.context.principal = profile.principal
            admitted.limits = profile.limits
            if !profile.slots.isEmpty { admitted.slots = HeldSlots(profile.slots, of: requests) }
        }
        admitted.decision = RequestDecision(outcome)
        return admitted
    }

    private func incoming(_ request: Request, _ context: Context) -> IncomingRequest {
        let headers = request.headers
        return IncomingRequest(
            credential: Credential(
                authorization: headers[values: .authorization], apiKey: headers[values: .xAPIKey],
                places: requests.places),
            // The router matches this path.
            method: request.method.rawValue, path: request.uri.path, address: address(request, context),
            agent: headers[.userAgent],
            isPreflight: request.method == .options && headers[values: .origin].count == 1
                && headers[values: .accessControlRequestMethod].count == 1 && !Self.hasBody(headers),
            scopes: scopes)
    }

    /// Returns the client address of a request: the last one before the trusted proxies; nil if it is unknown.
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

/// The recording of requests.
private enum Recording {
    /// True within a middleware that records the request.
    @TaskLocal static var isUnderWay = false
}

extension HTTPField.Name {
    fileprivate static let xAPIKey = named("X-API-Key")
    fileprivate static let xForwardedFor = named("X-Forwarded-For")

    private static func named(_ token: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(token) else { preconditionFailure("\(token) is a token") }
        return name
    }
}
