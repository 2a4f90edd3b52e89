import AuthKeys
import HTTPTypes
import Hummingbird
import NIOCore

/// `ANY /v1/forward-auth`: a proxy asks whether a request that it holds may pass.
///
/// What the request is, each proxy tells in its own way: `X-Forwarded-Method` and `-Uri` (Traefik, Caddy), `X-Original-Method`
/// and `-URI` or `-URL` (nginx), or the request itself with this path before its own (Envoy). A proxy overwrites the fields of its
/// own way and may pass on what a client wrote into the others: where two of them disagree, the request is refused. So it is
/// where the method or the path is not told: a proxy that does not tell it would pass on what a client says instead.
struct ForwardAuth: RouterMiddleware {
    static let path = "/v1/forward-auth"

    let verifier: RequestVerifier
    /// Proxies before the one that asks.
    let proxies: [IPNetwork]

    func handle(
        _ request: Request, context: ControlContext, next: (Request, ControlContext) async throws -> Response
    ) async throws -> Response {
        let target = request.uri.string
        guard target.hasPrefix(Self.path) else { return try await next(request, context) }
        let rest = target.utf8.dropFirst(Self.path.utf8.count)
        switch rest.first {
        case nil, UInt8(ascii: "?"): return try await answer(request, context, original: nil)
        case UInt8(ascii: "/"): return try await answer(request, context, original: String(Substring(rest)))
        default: return try await next(request, context)
        }
    }

    /// - Parameter original: the path and query of the request itself, where that came with it.
    private func answer(
        _ request: Request, _ context: ControlContext, original: String?
    ) async throws -> Response {
        context.coreContext.endpointPath.value = Self.path
        guard let incoming = try incoming(request, original: original) else {
            return refusal(
                type: Refusal.pathAmbiguous.kind.type, code: "ambiguous_request",
                message: "the proxy has to tell method and path of the request, and its client nothing else of them",
                status: .forbidden)
        }
        switch await verifier.decide(incoming) {
        case .preflight: return Self.response(.ok, headers: Self.identity(nil))
        case .admitted(let principal): return Self.response(.ok, headers: Self.identity(principal))
        case .refused(let refused, let needed):
            var headers = HTTPFields()
            headers[.wwwAuthenticate] = refused.challenge(needing: needed)
            // Proxies know 401 and 403 as refusals, and take anything else for trouble of Keyward's.
            return refusal(
                type: refused.kind.type, code: refused.code, message: refused.message(needing: needed),
                status: refused.kind == .authentication ? .unauthorized : .forbidden, headers: headers)
        case .ambiguousCredentials:
            let text = ErrorText.ambiguous
            return refusal(type: text.type, code: text.code, message: text.message, status: .forbidden)
        case .unavailable:
            let text = ErrorText.unavailable
            return refusal(
                type: text.type, code: text.code, message: text.message, status: .serviceUnavailable,
                headers: [.retryAfter: "1"])
        }
    }

    /// What the proxy tells; nil where it is told in two ways.
    private func incoming(_ request: Request, original: String?) throws(APIError) -> RequestVerifier.Incoming? {
        let headers = request.headers
        var methods = Self.values(headers, Name.method)
        var targets = Set(Self.values(headers, Name.target).map(Self.pathAndQuery))
        if let original {
            methods.insert(request.method.rawValue)
            targets.insert(original)
        }
        guard methods.count == 1, targets.count == 1, let method = methods.first, let target = targets.first,
            !method.isEmpty, target.hasPrefix("/") || target == "*", let address = address(headers)
        else { return nil }
        return RequestVerifier.Incoming(
            authorization: headers[values: .authorization], apiKey: headers[values: Name.apiKey], method: method,
            path: target, address: address.known, agent: headers[.userAgent],
            isPreflight: method == "OPTIONS" && headers[values: .origin].count == 1
                && headers[values: .accessControlRequestMethod].count == 1,
            scopes: original == nil ? try Self.scopes(request) : .none)
    }

    /// The values of fields that mean the same.
    private static func values(_ headers: HTTPFields, _ names: [HTTPField.Name]) -> Set<String> {
        Set(names.flatMap { headers[values: $0] })
    }

    /// An absolute URL without what comes before its path.
    private static func pathAndQuery(_ target: String) -> String {
        guard !target.hasPrefix("/"), let scheme = target.firstRange(of: "://") else { return target }
        let rest = target[scheme.upperBound...]
        return rest.firstIndex { $0 == "/" || $0 == "?" }.map { String(rest[$0...]) } ?? "/"
    }

    private struct Address {
        let known: IPAddress?
    }

    /// The client's address: what the proxy that asks added last, unless that is another trusted proxy. Nil where it is told in
    /// two ways.
    private func address(_ headers: HTTPFields) -> Address? {
        let chain = ClientAddress.chain(headers[values: Name.forwardedFor])
        let real = headers[values: Name.realIP].map { ClientAddress.parse($0) }
        if chain.isEmpty { return real.count > 1 ? nil : Address(known: real.first ?? nil) }
        let last = ClientAddress.last(of: chain, before: proxies)
        return real.allSatisfy { $0 == last } ? Address(known: last) : nil
    }

    /// `?scope=`, repeated or separated by spaces.
    private static func scopes(_ request: Request) throws(APIError) -> ScopeRequirement {
        let names = request.uri.parameters.filter { $0.key == "scope" }
            .flatMap { $0.value.split(separator: " ").map(String.init) }
        guard let scopes = ScopeRequirement(names) else {
            throw .validation("scope takes scopes without wildcards, separated by spaces", param: "scope")
        }
        return scopes
    }

    /// All fields of the identity, empty ones too: so a proxy that copies them overwrites whatever a client sent under their
    /// names.
    private static func identity(_ principal: Principal?) -> HTTPFields {
        var headers = HTTPFields()
        headers[Name.keyID] = principal?.keyID.description ?? ""
        headers[Name.keyName] = principal.map { IdentityText.encoded($0.name) } ?? ""
        headers[Name.owner] = principal?.owner.map(IdentityText.encoded) ?? ""
        headers[Name.scopes] = principal.map { IdentityText.encoded($0.scopes.joined(separator: " ")) } ?? ""
        return headers
    }

    private func refusal(
        type: String, code: String, message: String, status: HTTPResponse.Status, headers: HTTPFields = [:]
    ) -> Response {
        var headers = headers
        let body = ErrorText.body(type: type, message: message, code: code)
        headers[.contentType] = "application/json"
        // nginx keeps nothing of a refusal but its fields.
        headers[Name.error] = body
        return Self.response(status, headers: headers, body: body)
    }

    private static func response(
        _ status: HTTPResponse.Status, headers: HTTPFields, body: String = ""
    ) -> Response {
        var headers = headers
        headers[.contentLength] = String(body.utf8.count)
        headers[.cacheControl] = "no-store"
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: body)))
    }

    private enum Name {
        static let method = named("X-Forwarded-Method", "X-Original-Method")
        static let target = named("X-Forwarded-Uri", "X-Original-URI", "X-Original-URL")
        static let forwardedFor = named("X-Forwarded-For")[0]
        static let realIP = named("X-Real-IP")[0]
        static let apiKey = named("X-API-Key")[0]
        static let error = named("X-Keyward-Error")[0]
        static let keyID = named("X-Keyward-Key-Id")[0]
        static let keyName = named("X-Keyward-Key-Name")[0]
        static let owner = named("X-Keyward-Owner")[0]
        static let scopes = named("X-Keyward-Scopes")[0]

        /// Each is a token.
        private static func named(_ names: String...) -> [HTTPField.Name] { names.compactMap { HTTPField.Name($0) } }
    }
}
