import HTTPTypes
import Hummingbird

/// An error in OAuth's form: `{"error","error_description"}` (RFC 6749 section 5.2, RFC 6750 section 3.1).
struct OAuthError: Error {
    let status: HTTPResponse.Status
    let error: String
    /// In ASCII, without quotes.
    let description: String
    var headers: HTTPFields = [:]

    static func invalidRequest(_ description: String) -> OAuthError {
        OAuthError(status: .badRequest, error: "invalid_request", description: description)
    }

    /// Whoever asks has not said who it is, or is nobody known.
    static let invalidClient = OAuthError(
        status: .unauthorized, error: "invalid_client",
        description: "an admin key is required, as the password of HTTP Basic or as a Bearer token",
        headers: challenges)

    private static var challenges: HTTPFields {
        var headers = HTTPFields()
        headers[values: .wwwAuthenticate] = [
            "Basic realm=\"keyward-admin\", charset=\"UTF-8\"", "Bearer realm=\"keyward-admin\"",
        ]
        return headers
    }

    /// The same refusal in this form.
    init(_ refusal: APIError) {
        switch refusal.status {
        case .unauthorized: self = .invalidClient
        case .forbidden:
            self.init(status: .forbidden, error: "insufficient_scope", description: refusal.message)
        case .serviceUnavailable:
            self.init(
                status: .serviceUnavailable, error: "temporarily_unavailable", description: refusal.message,
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
