import HTTPTypes
import Hummingbird

/// An error in OAuth's form: `{"error","error_description"}` (RFC 6749 section 5.2, RFC 6750 section 3.1).
struct OAuthError: Error {
    let status: HTTPResponse.Status
    let error: String
    /// A text in ASCII, without quotes.
    let description: String
    var headers: HTTPFields = [:]

    static func invalidRequest(_ description: String) -> OAuthError {
        OAuthError(status: .badRequest, error: "invalid_request", description: description)
    }

    /// The error for a caller that sent no credential, or an unknown one.
    static let invalidClient = OAuthError(
        status: .unauthorized, error: "invalid_client",
        description: "an admin key is required, as the password of HTTP Basic or as a Bearer token",
        headers: challenge(basic, bearer))

    private static let basic = "Basic realm=\"keyward-admin\", charset=\"UTF-8\""
    private static let bearer = "Bearer realm=\"keyward-admin\""

    private static func challenge(_ values: String...) -> HTTPFields {
        var headers = HTTPFields()
        headers[values: .wwwAuthenticate] = values
        return headers
    }

    /// Converts a refusal into OAuth's form.
    /// - Parameter isBearer: true if the caller sent a Bearer token; its challenge then names the error.
    init(_ refusal: APIError, isBearer: Bool = false) {
        switch refusal.status {
        case .unauthorized:
            self = .invalidClient
            if isBearer { headers = Self.challenge(Self.basic, "\(Self.bearer), error=\"invalid_token\"") }
        case .forbidden:
            self.init(
                status: .forbidden, error: "insufficient_scope", description: refusal.message,
                headers: Self.challenge("\(Self.bearer), error=\"insufficient_scope\""))
        case .serviceUnavailable, .tooManyRequests:
            self.init(
                status: refusal.status, error: "temporarily_unavailable", description: refusal.message,
                headers: refusal.headers)
        default: self = .invalidRequest(refusal.message)
        }
    }

    private init(status: HTTPResponse.Status, error: String, description: String, headers: HTTPFields = [:]) {
        self.status = status
        self.error = error
        self.description = description
        self.headers = headers
    }

    func response() throws -> Response {
        var response = try JSONBody.response(["error": error, "error_description": description], status: status)
        response.headers.append(contentsOf: headers)
        return response
    }
}
