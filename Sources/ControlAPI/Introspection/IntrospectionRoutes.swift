import AuthKeys
import HTTPCredentials
import HTTPTypes
import Hummingbird
import KeyAdministration
import NIOCore

/// `POST /v1/introspect` (RFC 7662), and the metadata that describe it (RFC 8414), for proxies and frameworks that
/// treat keys as OAuth tokens. The decision is the same as at every other entry point. It uses the attributes of the
/// request that a client sends beside the token (section 2.1).
struct IntrospectionRoutes: DirectRoute {
    static let path = "/v1/introspect"
    static let metadataPath = "/.well-known/oauth-authorization-server"

    let verifier: RequestVerifier
    let authenticator: VerifyAuthenticator
    /// The issuer's URL, without a trailing slash.
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
        guard let body = try? await request.body.collect(upTo: BodyLimit.bytes) else {
            throw .invalidRequest("the body is incomplete, or larger than \(BodyLimit.bytes) bytes")
        }
        let question = try IncomingRequest(request.head, body)
        let outcome = await verifier.decide(question, owners: admin.owners)
        verifier.count(outcome, of: question, id: context.identifier, began: context.began)
        guard let answer = answer(outcome) else { throw OAuthError(.verificationUnavailable) }
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

    /// Returns nil while keys cannot be verified.
    private func answer(_ outcome: RequestVerifier.Outcome<KeyProfile>) -> IntrospectionJSON? {
        switch outcome {
        case .verdict(.admitted(_, let profile), _): return IntrospectionJSON(profile, issuer: issuer)
        // RFC 7662 has one response for every token that grants no access.
        case .verdict(.refused, _), .tooManyFailedAttempts: return .inactive
        case .verdict(.unavailable, _), .verdict(.unresolved, _), .preflight, .ambiguousCredentials: return nil
        }
    }

    // MARK: - Responses on the event loop

    var pattern: String { Self.path }
    var isForAdmins: Bool { true }

    func answerNow(_ head: HTTPRequest, body: ByteBuffer, as request: DirectRequest) -> DirectAnswer? {
        guard let candidates = try? ClientCredential.candidates(in: head),
            let admin = candidates.lazy.compactMap(authenticator.known).first,
            let question = try? IncomingRequest(head, body),
            verifier.verifier.isServing,
            let outcome = verifier.decideNow(question, owners: admin.owners),
            let bytes = answer(outcome).flatMap({ try? JSONBody.bytes($0) })
        else { return nil }
        verifier.count(outcome, of: question, id: request.id, began: request.began)
        return DirectAnswer(json: String(decoding: bytes, as: UTF8.self))
    }
}

extension IncomingRequest {
    /// Reads an introspection request: the token, and attributes of the request that it came with.
    fileprivate init(_ head: HTTPRequest, _ body: ByteBuffer) throws(OAuthError) {
        guard FormPairs.isMediaType(head.headerFields[.contentType] ?? "") else {
            throw .invalidRequest("the body must be \(FormPairs.mediaType)")
        }
        let form = try Form(body)
        guard head.path?.contains("?") != true else {
            throw .invalidRequest("parameters belong in the body, not in the query")
        }
        guard let token = try form.value("token") else { throw .invalidRequest("token is required") }
        let (ip, path, scope) = (try form.value("ip"), try form.value("path"), try form.value("scope") ?? "")
        let method = try form.value("method") ?? ""
        do throws(DescribedRequest.Fault) {
            var address: IPAddress?
            if let ip { address = try DescribedRequest.address(ip) }
            self.init(
                credential: .token(token), method: method, path: try DescribedRequest.path(path), address: address,
                scopes: try DescribedRequest.scopes(scope.split(separator: " ").map(String.init)),
                // RFC 7662 asks about a token. It is no use of the key.
                spending: .none)
        } catch {
            let name =
                switch error.part {
                case .address: "ip"
                case .path: "path"
                case .scopes, .cost, .limits: "scope"
                }
            throw .invalidRequest("\(name) \(error.reason)")
        }
    }
}

/// The form in the body of an introspection request.
private struct Form {
    private let pairs: [FormPairs.Pair]

    init(_ body: ByteBuffer) throws(OAuthError) {
        do throws(FormPairs.Fault) {
            pairs = try FormPairs(body.readableBytesView, decodesNames: true).pairs
        } catch {
            // A description has no quotes and only ASCII (RFC 6749 section 5.2), which a caller's name may violate.
            throw .invalidRequest("the body is not valid \(FormPairs.mediaType): it \(error.reason)")
        }
    }

    /// Returns the single value of a parameter; nil if it is absent or empty, which are equivalent (RFC 6749 section
    /// 3.1).
    /// - Throws: if the parameter is repeated (RFC 6749 section 3.2).
    func value(_ name: String) throws(OAuthError) -> String? {
        let given = pairs.filter { $0.name == name }
        guard given.count <= 1 else { throw .invalidRequest("\(name) is repeated") }
        return given.first.flatMap { $0.value.isEmpty ? nil : $0.value }
    }
}

/// The metadata for discovery by clients (RFC 8414 section 2). There is no authorization endpoint, because admins issue
/// the keys.
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
