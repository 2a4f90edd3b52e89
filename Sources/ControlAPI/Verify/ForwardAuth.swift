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
    let limitFields: LimitFieldMode

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
            guard let question = try question(request.head) else {
                recordRefusal(Self.ambiguousCode)
                return Self.ambiguous.response
            }
            let outcome = await verifier.decide(question.request)
            verifier.count(outcome, of: question.request, id: context.identifier, began: context.began)
            return answer(outcome, to: question).response
        } catch {
            recordRefusal(error.shortName)
            return Self.refusal(
                type: error.kind.rawValue, code: error.shortName, message: error.message, status: .forbidden,
                asProblem: Self.prefersProblem(request.head)
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
        guard let question = try? question(head), let outcome = verifier.decideNow(question.request) else { return nil }
        verifier.count(outcome, of: question.request, id: request.id, began: request.began)
        return answer(outcome, to: question)
    }

    /// Returns the part of a target after this route's path.
    private static func rest(of target: String) -> Substring.UTF8View { target.utf8.dropFirst(path.utf8.count) }

    /// The request that a proxy describes, and the form of the response to it.
    private struct Question {
        let request: IncomingRequest
        let options: Options
        let prefersProblem: Bool
    }

    private func answer(_ outcome: RequestVerifier.Outcome<KeyProfile>, to question: Question) -> DirectAnswer {
        switch outcome {
        case .preflight: return DirectAnswer(status: .ok, headers: Self.identity(nil))
        case .verdict(.admitted(_, let profile), _):
            var headers = Self.identity(profile.principal)
            if limitFields == .always { Self.add(profile.limits, to: &headers) }
            return DirectAnswer(status: .ok, headers: headers)
        case .verdict(.refused(let refused, let profile), let needed):
            var headers = HTTPFields()
            headers[.wwwAuthenticate] = refused.challenge(needing: needed)
            let limited = profile.flatMap { LimitRefusal($0.limits) }
            if limitFields != .never, let profile { Self.add(profile.limits, to: &headers) }
            headers[.retryAfter] = limited?.retryAfter.map(String.init)
            // Proxies treat 401 and 403 as refusals, and many treat another status as a failure of Keyward.
            let status: HTTPResponse.Status =
                switch refused.kind {
                case .authentication: .unauthorized
                case .permission, .request: .forbidden
                case .limit: question.options.limitStatus
                }
            if refused.kind == .limit { headers[Name.status] = String(refused.kind.status) }
            return Self.refusal(
                type: refused.kind.type, code: refused.code,
                message: limited?.message ?? refused.message(needing: needed), status: status, headers: headers,
                asProblem: question.prefersProblem)
        case .tooManyFailedAttempts(let seconds):
            let text = ErrorText.tooManyFailedAttempts
            let status = HTTPResponse.Status.tooManyRequests
            return Self.refusal(
                type: text.type, code: text.code, message: text.message, status: question.options.limitStatus,
                headers: [.retryAfter: String(seconds), Name.status: String(status.code)],
                asProblem: question.prefersProblem)
        case .ambiguousCredentials:
            let text = ErrorText.ambiguous
            return Self.refusal(
                type: text.type, code: text.code, message: text.message, status: .forbidden,
                asProblem: question.prefersProblem)
        case .verdict(.unresolved, _), .verdict(.unavailable, _):
            let text = ErrorText.unavailable
            return Self.refusal(
                type: text.type, code: text.code, message: text.message, status: .serviceUnavailable,
                headers: [.retryAfter: "1"], asProblem: question.prefersProblem)
        }
    }

    private static let ambiguousCode = "ambiguous_request"
    private static let ambiguous = refusal(
        type: Refusal.pathAmbiguous.kind.type, code: ambiguousCode,
        message:
            "the proxy must send the method and path of the request, as X-Forwarded-Method and X-Forwarded-Uri or X-Original-Method and X-Original-URI, and remove conflicting fields of the client",
        status: .forbidden)

    /// Returns the request that the proxy describes; nil if the description is incomplete or contradicts itself.
    private func question(_ head: HTTPRequest) throws(APIError) -> Question? {
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
        let options = original == nil && !rest.isEmpty ? try Options(QueryParameters(URI(head.path ?? ""))) : Options()
        let request = IncomingRequest(
            credential: Credential(
                authorization: headers[values: .authorization], apiKey: headers[values: Name.apiKey],
                places: verifier.places),
            method: method, path: target, address: address.known, agent: headers[.userAgent],
            isPreflight: method == "OPTIONS" && headers[values: .origin].count == 1
                && headers[values: .accessControlRequestMethod].count == 1,
            scopes: options.scopes, spending: options.spending)
        return Question(request: request, options: options, prefersProblem: Self.prefersProblem(head))
    }

    /// Returns true if the client, whose `Accept` the proxy passes on, prefers problem details.
    private static func prefersProblem(_ head: HTTPRequest) -> Bool {
        var types = AcceptedTypes()
        for value in head.headerFields[values: .accept] where value.utf8.count >= ErrorText.problemType.utf8.count {
            Array(value.utf8).withUnsafeBytes { types.add($0) }
        }
        return types.prefersProblem
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

    /// The options in the query of this route.
    private struct Options {
        var scopes = ScopeRequirement.none
        var spending = Spending.one
        /// True for a proxy that knows only 401 and 403: a refusal by a limit is then 403.
        var hidesLimited = false
        /// The status of a refusal by a limit.
        var limitStatus: HTTPResponse.Status { hidesLimited ? .forbidden : .tooManyRequests }

        init() {}

        /// Reads `?scope=`, repeated or separated by spaces, `?cost=` and `?limited=403`. Any other parameter and an
        /// empty scope are mistakes in the proxy's configuration, and must not remove a protection.
        init(_ query: QueryParameters) throws(APIError) {
            var names: [String] = []
            var (hasCost, hasLimited) = (false, false)
            for pair in query.pairs {
                switch pair.name {
                case "scope":
                    let asked = pair.value.split(separator: " ").map(String.init)
                    guard !asked.isEmpty else { throw Self.invalidScope }
                    names += asked
                case "cost":
                    guard !hasCost, let cost = Int64(pair.value), let spending = Spending(cost: cost) else {
                        throw .validation(
                            "cost must be given once, as a whole number from 0 to \(LimitRule.unitLimit)", param: "cost"
                        )
                    }
                    (self.spending, hasCost) = (spending, true)
                case "limited":
                    guard !hasLimited, pair.value == "403" || pair.value == "429" else {
                        throw .validation("limited must be given once, as 403 or 429", param: "limited")
                    }
                    (hidesLimited, hasLimited) = (pair.value == "403", true)
                default:
                    throw .validation(
                        "the query has an unknown parameter: the parameters are scope, cost and limited", param: "scope"
                    )
                }
            }
            guard let scopes = ScopeRequirement(names) else { throw Self.invalidScope }
            self.scopes = scopes
        }

        private static var invalidScope: APIError {
            .validation(
                "scope must be at most \(ScopeRequirement.countLimit) scopes without wildcards, separated by spaces",
                param: "scope")
        }
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

    private static func add(_ limits: [LimitStatus], to headers: inout HTTPFields) {
        for (name, value) in LimitFields.fields(limits) {
            if let name = HTTPField.Name(name) { headers[name] = value }
        }
    }

    private static func refusal(
        type: String, code: String, message: String, status: HTTPResponse.Status, headers: HTTPFields = [:],
        asProblem: Bool = false
    ) -> DirectAnswer {
        var headers = headers
        let body =
            asProblem
            ? ErrorText.problem(status: status.code, title: status.reasonPhrase, message: message, code: code)
            : ErrorText.body(type: type, message: message, code: code)
        headers[.contentType] = asProblem ? ErrorText.problemType : "application/json"
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
        /// The status for the client, if the status of the response is another one.
        static let status = named("X-Keyward-Status")[0]
        static let keyID = named("X-Keyward-Key-Id")[0]
        static let keyName = named("X-Keyward-Key-Name")[0]
        static let owner = named("X-Keyward-Owner")[0]
        static let scopes = named("X-Keyward-Scopes")[0]

        /// Returns the names of fields; each is a literal that is a valid token.
        private static func named(_ names: String...) -> [HTTPField.Name] { names.compactMap { HTTPField.Name($0) } }
    }
}
