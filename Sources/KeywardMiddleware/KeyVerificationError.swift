import AuthKeys
public import HTTPTypes
public import Hummingbird
import NIOCore

/// A request that was not let in, as its caller sees it: the same status, code and body as at the gateway.
public struct KeyVerificationError: HTTPResponseError {
    public let status: HTTPResponse.Status
    private let type: String
    private let code: String?
    private let message: String
    private let headers: HTTPFields

    /// More than one credential.
    static let ambiguous = KeyVerificationError(
        status: .badRequest, type: "invalid_request_error", code: "ambiguous_credentials",
        message: "the request carries more than one credential: send the API key once", headers: [:])

    static let unavailable = KeyVerificationError(
        status: .serviceUnavailable, type: "unavailable_error", code: nil,
        message: "API keys cannot be verified at the moment: try again", headers: [.retryAfter: "1"])

    init(_ refusal: Refusal) {
        var challenge = "Bearer realm=\"keyward\""
        if let error = refusal.bearerError {
            challenge += ", error=\"\(error)\", error_description=\"\(refusal.message)\""
        }
        self.init(
            status: .init(code: refusal.kind.status), type: refusal.kind.type, code: refusal.code,
            message: refusal.message, headers: refusal.isChallenge ? [.wwwAuthenticate: challenge] : [:])
    }

    private init(status: HTTPResponse.Status, type: String, code: String?, message: String, headers: HTTPFields) {
        self.status = status
        self.type = type
        self.code = code
        self.message = message
        self.headers = headers
    }

    /// All texts are ours, and need no escaping in JSON.
    public func response(from request: Request, context: some RequestContext) throws -> Response {
        let code = code.map { "\"\($0)\"" } ?? "null"
        let body = ByteBuffer(
            string: "{\"error\":{\"type\":\"\(type)\",\"message\":\"\(message)\",\"param\":null,\"code\":\(code)}}")
        var headers = headers
        headers[.contentType] = "application/json"
        headers[.contentLength] = String(body.readableBytes)
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: body))
    }
}
