import HTTPTypes
import Hummingbird

/// An error as Unkey's clients read it: `{"meta","error":{"title","detail","status","type"}}`, and of a bad request, `errors` that
/// name the places. Everything below `UnkeyError.path` is answered so.
struct UnkeyError: Encodable {
    static let path = "/v2/"

    let meta: UnkeyMeta
    let error: Details
    private let headers: HTTPFields

    struct Details: Encodable {
        let title: String
        let detail: String
        let status: Int
        /// A URI that names the problem, with Keyward's code for it.
        let type: String
        let errors: [Fault]?
    }

    struct Fault: Encodable {
        /// `body.expires`, `query.limit` or `header.Authorization`.
        let location: String
        let message: String
    }

    enum CodingKeys: CodingKey {
        case meta, error
    }

    init(_ error: APIError, in request: Request, _ context: ControlContext) {
        // A message quotes an unknown or repeated member: that name is the caller's own already.
        let name = error.param.map { error.message.contains("'\($0)'") ? $0 : UnkeyNames.member($0) }
        let detail = Self.renamed(error.message, error.param, name)
        let isBadRequest = error.status == .badRequest
        meta = UnkeyMeta(context)
        self.error = Details(
            title: error.status.reasonPhrase, detail: detail, status: error.status.code,
            type: "urn:keyward:error:\(error.shortName)",
            errors: isBadRequest ? [Fault(location: Self.location(name, in: request), message: detail)] : nil)
        headers = error.headers
    }

    func response() throws -> Response {
        var response = try JSONBody.response(self, status: HTTPResponse.Status(code: error.status))
        response.headers.append(contentsOf: headers)
        return response
    }

    /// A message with the member that it begins with under its name here: further on, the same word is one of prose.
    private static func renamed(_ message: String, _ param: String?, _ name: String?) -> String {
        for start in ["", "invalid request body: ", "each of "] {
            guard let param, let name, message.hasPrefix("\(start)\(param) ") else { continue }
            return start + name + message.dropFirst(start.count + param.count)
        }
        return message
    }

    private static func location(_ name: String?, in request: Request) -> String {
        guard let name else { return "body" }
        if (try? QueryParameters(request.uri))?[name] != nil { return "query.\(name)" }
        return ["Authorization", "Idempotency-Key"].contains(name) ? "header.\(name)" : "body.\(name)"
    }

    /// Why Keyward has nothing at one of the paths of Unkey's API; nil for a path that is none of them.
    static func absence(at path: String) -> String? {
        guard path.hasPrefix(Self.path) else { return nil }
        let operation = path.dropFirst(Self.path.count)
        switch operation.prefix(while: { $0 != "." }) {
        case "apis":
            return "Keyward has no APIs: a key may have any apiId, which it is listed by"
        case "identities":
            return "Keyward has no identities: a key's externalId is its owner"
        case "permissions":
            return "Keyward keeps no list of permissions and no roles: a key's permissions are its scopes"
        case "ratelimit":
            return "Keyward has no rate limits"
        case "rootKeys":
            return "admin keys are made under \(AdminKeyRoutes.path)"
        case "keys" where operation == "keys.migrateKeys":
            return "keys are brought in by \(ImportRoute.path)"
        case "keys" where operation == "keys.updateCredits":
            return "Keyward has no credits"
        case "keys" where operation.hasSuffix("Roles"):
            return "Keyward has no roles: a key's permissions are its scopes"
        default:
            return "Keyward has nothing of that kind"
        }
    }
}
