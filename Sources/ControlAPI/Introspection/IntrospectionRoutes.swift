import AuthKeys
import HTTPTypes
import Hummingbird
import NIOCore

/// `POST /v1/introspect` (RFC 7662), and the metadata that name it (RFC 8414): for proxies and frameworks that know keys as OAuth's
/// tokens. The decision is the one of every other way in; what a client tells of its caller beside the token (section 2.1) goes
/// into it.
struct IntrospectionRoutes: DirectRoute {
    static let path = "/v1/introspect"
    static let metadataPath = "/.well-known/oauth-authorization-server"

    let verifier: RequestVerifier
    let authenticator: VerifyAuthenticator
    /// The issuer's URL, without a slash at its end.
    let issuer: String

    func add(to router: Router<ControlContext>) {
        router.post(RouterPath(Self.path)) { request, context in
            do {
                return try JSONBody.response(try await answer(to: request, context))
            } catch let error as OAuthError {
                return try error.response()
            }
        }
        router.get(RouterPath(Self.metadataPath)) { _, _ in
            try JSONBody.response(ServerMetadata(issuer: issuer))
        }
    }

    private func answer(
        to request: Request, _ context: ControlContext
    ) async throws(OAuthError) -> IntrospectionJSON {
        let admin = try await admit(request.head, context)
        guard let body = try? await request.body.collect(upTo: ControlAPI.bodyLimit) else {
            throw .invalidRequest("the body is incomplete, or larger than \(ControlAPI.bodyLimit) bytes")
        }
        let question = try Question(request.head, body)
        let (decision, _) = await verifier.decide(about: question.token, for: question.request, caller: admin)
        guard let answer = answer(decision) else { throw OAuthError(.verificationUnavailable) }
        return answer
    }

    private func admit(_ head: HTTPRequest, _ context: ControlContext) async throws(OAuthError) -> Admin {
        let candidates: [String]
        do {
            candidates = try ClientCredential.candidates(in: head)
        } catch {
            authenticator.record(
                error.status == .unauthorized ? Refusal.missing.code : ErrorText.ambiguous.code, of: nil, context)
            throw error
        }
        do throws(APIError) {
            return try await authenticator.admit(anyOf: candidates, context)
        } catch {
            throw OAuthError(error, isBearer: ClientCredential.isBearer(head))
        }
    }

    /// Nil where keys cannot be verified.
    private func answer(_ decision: Decision) -> IntrospectionJSON? {
        switch decision {
        case .admitted(let key): IntrospectionJSON(key, issuer: issuer)
        case .refused: .inactive
        case .unavailable: nil
        }
    }

    // MARK: - Answered at once

    var pattern: String { Self.path }
    var isForAdmins: Bool { true }

    func answerNow(_ head: HTTPRequest, body: ByteBuffer) -> DirectAnswer? {
        guard let candidates = try? ClientCredential.candidates(in: head),
            let admin = candidates.lazy.compactMap(authenticator.known).first, let question = try? Question(head, body),
            verifier.verifier.isServing,
            let (decision, _) = verifier.decideNow(about: question.token, for: question.request, caller: admin)
        else { return nil }
        return answer(decision).flatMap { answer in
            (try? JSONBody.bytes(answer)).map { DirectAnswer(json: String(decoding: $0, as: UTF8.self)) }
        }
    }
}

/// What a client asks: about which token, and what it tells of its holder and of what that wants.
private struct Question {
    let token: String
    let request: RequestVerifier.Incoming

    init(_ head: HTTPRequest, _ body: ByteBuffer) throws(OAuthError) {
        guard FormPairs.isMediaType(head.headerFields[.contentType] ?? "") else {
            throw .invalidRequest("the body must be \(FormPairs.mediaType)")
        }
        let form = try Form(body)
        guard head.path?.contains("?") != true else {
            throw .invalidRequest("parameters belong in the body, not in the query")
        }
        guard let token = try form.value("token") else { throw .invalidRequest("token is required") }
        self.token = token
        request = try Self.context(form)
    }

    /// What is told of the holder and of what it wants: `ip`, `method`, `path` and `scope`.
    private static func context(_ form: Form) throws(OAuthError) -> RequestVerifier.Incoming {
        let (ip, path, scope) = (try form.value("ip"), try form.value("path"), try form.value("scope") ?? "")
        let method = try form.value("method") ?? ""
        do throws(DescribedRequest.Fault) {
            var address: IPAddress?
            if let ip { address = try DescribedRequest.address(ip) }
            return RequestVerifier.Incoming(
                method: method, path: try DescribedRequest.path(path), address: address,
                scopes: try DescribedRequest.scopes(scope.split(separator: " ").map(String.init)))
        } catch {
            let name =
                switch error.part {
                case .address: "ip"
                case .path: "path"
                case .scopes: "scope"
                }
            throw .invalidRequest("\(name) \(error.reason)")
        }
    }
}

/// The parameters of a question.
private struct Form {
    private let pairs: [FormPairs.Pair]

    init(_ body: ByteBuffer) throws(OAuthError) {
        do throws(FormPairs.Fault) {
            pairs = try FormPairs(body.readableBytesView, decodesNames: true).pairs
        } catch {
            // A description has no quotes and nothing beyond ASCII (RFC 6749 section 5.2): a name of the caller's may.
            throw .invalidRequest("the body is not valid \(FormPairs.mediaType): it \(error.reason)")
        }
    }

    /// A parameter's one value; nil where it is not there or is empty, which is the same (RFC 6749 section 3.1).
    /// - Throws: for one that is there twice (RFC 6749 section 3.2).
    func value(_ name: String) throws(OAuthError) -> String? {
        let given = pairs.filter { $0.name == name }
        guard given.count <= 1 else { throw .invalidRequest("\(name) is there more than once") }
        return given.first.flatMap { $0.value.isEmpty ? nil : $0.value }
    }
}

/// What clients may find out of themselves (RFC 8414 section 2). There is nothing here to authorize: keys are given out by admins.
private struct ServerMetadata: Encodable {
    let issuer: String

    enum CodingKeys: String, CodingKey {
        case issuer
        case responseTypes = "response_types_supported"
        case grantTypes = "grant_types_supported"
        case endpoint = "introspection_endpoint"
        case methods = "introspection_endpoint_auth_methods_supported"
    }

    func encode(to encoder: any Encoder) throws {
        var members = encoder.container(keyedBy: CodingKeys.self)
        try members.encode(issuer, forKey: .issuer)
        try members.encode([String](), forKey: .responseTypes)
        try members.encode([String](), forKey: .grantTypes)
        try members.encode(issuer + IntrospectionRoutes.path, forKey: .endpoint)
        try members.encode(["client_secret_basic", "Bearer"], forKey: .methods)
    }
}
