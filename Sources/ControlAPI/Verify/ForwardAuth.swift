import AuthKeys
import HTTPCredentials
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore

/// `ANY /v1/forward-auth`: decides for a proxy whether a request that it holds may pass.
///
/// Each proxy describes the request differently: by `X-Forwarded-Method` and `-Uri` (Traefik, Caddy), by
/// `X-Original-Method` and `-URI` or `-URL` (nginx), or by its own method and a path after this one (Envoy). A proxy
/// overwrites the fields that it uses, but may pass on a client's values of the others. So conflicting descriptions are
/// refused. A missing method or path is refused too: a proxy that does not send it would pass on the client's value.
struct ForwardAuth: RouterMiddleware, DirectRoute {
    static let path = "/v1/forward-auth"

    let verifier: RequestVerifier
    /// The trusted proxies in front of the calling proxy.
    let proxies: [IPNetwork]

    var pattern: String { Self.path }
    var readsBody: Bool { false }
    var isForAdmins: Bool { false }

    func handle(
        _ request: Request, context: ControlContext, next: (Request, ControlContext) async throws -> Response
    ) async throws -> Response {
        guard takes(request.head) else { return try await next(request, context) }
        context.coreContext.endpointPath.value = Self.path
        func recordRefusal(_ code: String) {
            verifier.record(
                RequestDecision(status: 403, code: code), of: IncomingRequest(credential: .none),
                id: context.identifier, began: context.began)
        }
        do throws(APIError) {
            guard let incoming = try incoming(request.head) else {
                recordRefusal(Self.ambiguousCode)
                return Self.ambiguous.response
            }
            let outcome = await verifier.decide(incoming)
            verifier.count(outcome, of: incoming, id: context.identifier, began: context.began)
            return answer(outcome).response
        } catch {
            recordRefusal(error.shortName)
            return Self.refusal(
                type: error.kind.rawValue, code: error.shortName, message: error.message,
                status: .forbidden
            ).response
        }
    }

    func takes(_ head: HTTPRequest) -> Bool {
        guard let target = head.path, target.hasPrefix(Self.path) else { return false }
        switch Self.rest(of: target).first {
        case nil, UInt8(ascii: "?"), UInt8(ascii: "/"): return true
        default: return false
        }
    }

    func answerNow(_ head: HTTPRequest, body: ByteBuffer, as request: DirectRequest) -> DirectAnswer? {
        guard let incoming = try? incoming(head), let outcome = verifier.decideNow(incoming) else { return nil }
        verifier.count(outcome, of: incoming, id: request.id, began: request.began)
        return answer(outcome)
    }

    /// Returns the part of a target after this route's path.
    private static func rest(of target: String) -> Substring.UTF8View { target.utf8.dropFirst(path.utf8.count) }

    private func answer(_ outcome: RequestVerifier.Outcome<KeyProfile>) -> DirectAnswer {
        switch outcome {
        case .preflight: return DirectAnswer(status: .ok, headers: Self.identity(nil))
        case .verdict(.admitted(_, let profile), _):
            return DirectAnswer(status: .ok, headers: Self.identity(profile.principal))
        case .verdict(.refused(let refused, _), let needed):
            var headers = HTTPFields()
            headers[.wwwAuthenticate] = refused.challenge(needing: needed)
            // Proxies treat 401 and 403 as refusals, and any other status as a failure of Keyward.
            return Self.refusal(
                type: refused.kind.type, code: refused.code, message: refused.message(needing: needed),
                status: refused.kind == .authentication ? .unauthorized : .forbidden, headers: headers)
        case .ambiguousCredentials:
            let text = ErrorText.ambiguous
            return Self.refusal(type: text.type, code: text.code, message: text.message, status: .forbidden)
        case .verdict(.unresolved, _), .verdict(.unavailable, _):
            let text = ErrorText.unavailable
            return Self.refusal(
                type: text.type, code: text.code, message: text.message, status: .serviceUnavailable,
                headers: [.retryAfter: "1"])
        }
    }

    private static let ambiguousCode = "ambiguous_request"
    private static let ambiguous = refusal(
        type: Refusal.pathAmbiguous.kind.type, code: ambiguousCode,
        message:
            "the proxy must send the method and path of the request, as X-Forwarded-Method and X-Forwarded-Uri or X-Original-Method and X-Original-URI, and remove conflicting fields of the client",
        status: .forbidden)

    /// Returns the request that the proxy describes; nil if the description is incomplete or contradicts itself.
    private func incoming(_ head: HTTPRequest) throws(APIError) -> IncomingRequest? {
        let headers = head.headerFields
        let rest = Self.rest(of: head.path ?? "")
        // The path and query of the described request, if they follow this route's path.
        let original = rest.first == UInt8(ascii: "/") ? String(Substring(rest)) : nil
        var methods = Self.values(headers, Name.method)
        var targets = Self.values(headers, Name.target)
        if let original {
            methods.append(head.method.rawValue)
            targets.append(original)
        }
        for target in targets {
            guard let fault = TargetFault(in: target.utf8) else { continue }
            throw APIError(.badRequest, .invalidRequest, fault.message, code: "malformed_request")
        }
        targets = targets.map(Self.pathAndQuery)
        // Overlong targets were cut.
        guard head.path?.utf8.count ?? 0 <= PlainHeads.targetLimit, let method = Self.agreed(methods),
            let target = Self.agreed(targets), !method.isEmpty,
            !method.utf8.contains(PlainHeads.substitute),
            target.utf8.count <= PlainHeads.targetLimit, target.utf8.first == UInt8(ascii: "/") || target == "*",
            let address = address(headers)
        else { return nil }
        return IncomingRequest(
            credential: Credential(
                authorization: headers[values: .authorization], apiKey: headers[values: Name.apiKey],
                places: verifier.places),
            method: method, path: target, address: address.known, agent: headers[.userAgent],
            isPreflight: method == "OPTIONS" && headers[values: .origin].count == 1
                && headers[values: .accessControlRequestMethod].count == 1,
            scopes: original == nil && !rest.isEmpty ? try Self.scopes(QueryParameters(URI(head.path ?? ""))) : .none)
    }

    /// Returns the values of equivalent fields.
    private static func values(_ headers: HTTPFields, _ names: [HTTPField.Name]) -> [String] {
        names.flatMap { headers[values: $0] }
    }

    /// Returns the value that all fields agree on, byte by byte. It must be visible ASCII, as methods and targets are
    /// (RFC 9112 section 3).
    private static func agreed(_ values: [String]) -> String? {
        guard let first = values.first, first.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
            values.allSatisfy({ $0.utf8.elementsEqual(first.utf8) })
        else { return nil }
        return first
    }

    /// Returns an absolute URL without the part before its path.
    private static func pathAndQuery(_ target: String) -> String {
        let bytes = target.utf8
        guard bytes.first != UInt8(ascii: "/"), let colon = bytes.firstIndex(of: UInt8(ascii: ":")),
            bytes[colon...].starts(with: "://".utf8)
        else { return target }
        let rest = bytes[colon...].dropFirst(3)
        let begin = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") }
        return begin.map { String(target[$0...]) } ?? "/"
    }

    private struct Address {
        let known: IPAddress?
    }

    /// Returns the client's address: the last one that is not a trusted proxy's, as added by the calling proxy. Nil if
    /// the fields disagree.
    private func address(_ headers: HTTPFields) -> Address? {
        let forwarded = headers[values: Name.forwardedFor]
        let real = headers[values: Name.realIP].map { ClientAddress.parse($0.utf8) }
        if forwarded.isEmpty { return real.count > 1 ? nil : Address(known: real.first ?? nil) }
        let last = ForwardedAddresses(forwarded.map(\.utf8)).client(before: proxies)
        return real.allSatisfy { $0 == last } ? Address(known: last) : nil
    }

    /// Reads `?scope=`, repeated or separated by spaces. Any other parameter and an empty scope are mistakes in the
    /// proxy's configuration, and must not remove a protection.
    private static func scopes(_ query: QueryParameters) throws(APIError) -> ScopeRequirement {
        var names: [String] = []
        for pair in query.pairs {
            let asked = pair.value.split(separator: " ").map(String.init)
            guard pair.name == "scope", !asked.isEmpty else { throw invalidQuery }
            names += asked
        }
        guard let scopes = ScopeRequirement(names) else { throw invalidQuery }
        return scopes
    }

    private static var invalidQuery: APIError {
        .validation(
            "the only query parameter is scope: at most \(ScopeRequirement.countLimit) scopes without wildcards, separated by spaces",
            param: "scope")
    }

    /// Returns all identity fields, including empty ones. A proxy that copies them thus overwrites the client's fields
    /// of the same names.
    private static func identity(_ principal: Principal?) -> HTTPFields {
        var headers = HTTPFields()
        headers[Name.keyID] = principal?.keyID.description ?? ""
        headers[Name.keyName] = principal.map { IdentityText.encoded($0.name) } ?? ""
        headers[Name.owner] = principal?.owner.map(IdentityText.encoded) ?? ""
        headers[Name.scopes] = principal.map { IdentityText.encoded($0.scopes.joined(separator: " ")) } ?? ""
        return headers
    }

    private static func refusal(
        type: String, code: String, message: String, status: HTTPResponse.Status, headers: HTTPFields = [:]
    ) -> DirectAnswer {
        var headers = headers
        let body = ErrorText.body(type: type, message: message, code: code)
        headers[.contentType] = "application/json"
        // nginx keeps only the header fields of a refusal.
        headers[Name.error] = body
        return DirectAnswer(status: status, headers: headers, body: ByteBuffer(string: body))
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

        /// Returns the names of fields; each is a literal that is a valid token.
        private static func named(_ names: String...) -> [HTTPField.Name] { names.compactMap { HTTPField.Name($0) } }
    }
}
