import HTTPTypes
import Hummingbird

/// An error in Unkey's format: `{"meta","error":{"title","detail","status","type"}}`, and for a bad request `errors`
/// with locations. All errors below `UnkeyError.path` have this format.
struct UnkeyError: Encodable {
    static let path = "/v2/"

    let meta: UnkeyMeta
    let error: Details
    private let headers: HTTPFields

    struct Details: Encodable {
        let title: String
        let detail: String
        let status: Int
        /// A URI of the problem, which ends with Keyward's code.
        let type: String
        let errors: [Fault]?
    }

    struct Fault: Encodable {
        /// The location of the fault: `body.expires`, `query.limit` or `header.Authorization`.
        let location: String
        let message: String
    }

    enum CodingKeys: CodingKey {
        case meta, error
    }

    init(_ error: APIError, in request: Request, _ context: ControlContext) {
        // A message quotes an unknown or repeated member, whose name is already the caller's.
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

    /// Returns a message whose first word, the name of a member, is replaced by Unkey's name. Later occurrences are
    /// prose and stay.
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

    /// Returns the reason why Keyward lacks a path of Unkey's API; nil if the path is not one of it.
    static func absence(at path: String) -> String? {
        guard path.hasPrefix(Self.path) else { return nil }
        let operation = path.dropFirst(Self.path.count)
        switch operation.prefix(while: { $0 != "." }) {
        case "apis":
            return "Keyward has no APIs: a key may have any apiId, by which apis.listKeys finds it"
        case "identities":
            return "Keyward has no identities: a key's externalId is its owner"
        case "permissions":
            return "Keyward has no list of permissions and no roles: a key's permissions are its scopes"
        case "ratelimit":
            return "Keyward has rate limits of keys alone: keys.verifyKey takes their units"
        case "rootKeys":
            return "admin keys are created at \(AdminKeyRoutes.path)"
        case "keys" where operation == "keys.migrateKeys":
            return "keys are imported at \(ImportRoute.path)"
        case "keys" where operation.hasSuffix("Roles"):
            return "Keyward has no roles: a key's permissions are its scopes"
        default:
            return "Keyward has no equivalent"
        }
    }
}
