package import AuthKeys
package import HTTPCredentials
public import HTTPTypes
public import Hummingbird
import NIOCore

/// The response to a refused request. Status, code and body equal those of the gateway.
public struct KeyVerificationError: HTTPResponseError {
    public let status: HTTPResponse.Status
    private let type: String
    let code: String
    private let message: String
    private var headers: HTTPFields
    /// The refused key; nil if it is unknown.
    private(set) var key: Principal?

    /// Creates the error for an outcome; nil for an accepted request.
    package init?(_ outcome: RequestVerifier.Outcome<KeyProfile>) {
        switch outcome {
        case .verdict(.admitted, _), .preflight: return nil
        case .verdict(.refused(let refusal, let profile), let needed):
            let limited = profile.flatMap { LimitRefusal($0.limits) }
            self.init(refusal, needing: needed, limited: limited)
            key = profile?.principal
            if let profile { headers.add(profile.limits) }
        case .ambiguousCredentials:
            let text = ErrorText.ambiguous
            self.init(status: .badRequest, type: text.type, code: text.code, message: text.message, headers: [:])
        case .tooManyFailedAttempts(let seconds):
            let text = ErrorText.tooManyFailedAttempts
            self.init(
                status: .tooManyRequests, type: text.type, code: text.code, message: text.message,
                headers: [.retryAfter: String(seconds)])
        case .verdict(.unresolved, _), .verdict(.unavailable, _):
            let text = ErrorText.unavailable
            self.init(
                status: .serviceUnavailable, type: text.type, code: text.code, message: text.message,
                headers: [.retryAfter: "1"])
        }
    }

    init(_ refusal: Refusal, needing needed: ScopeRequirement = .none, limited: LimitRefusal? = nil) {
        var headers = HTTPFields()
        headers[.wwwAuthenticate] = refusal.challenge(needing: needed)
        headers[.retryAfter] = limited?.retryAfter.map(String.init)
        self.init(
            status: .init(code: refusal.kind.status), type: refusal.kind.type, code: refusal.code,
            message: limited?.message ?? refusal.message(needing: needed), headers: headers)
    }

    private init(status: HTTPResponse.Status, type: String, code: String, message: String, headers: HTTPFields) {
        self.status = status
        self.type = type
        self.code = code
        self.message = message
        self.headers = headers
    }

    /// Returns the response. The texts are constants of Keyward that need no escaping in JSON.
    public func response(from request: Request, context: some RequestContext) throws -> Response {
        let body = ByteBuffer(string: ErrorText.body(type: type, message: message, code: code))
        var headers = headers
        headers[.contentType] = "application/json"
        headers[.contentLength] = String(body.readableBytes)
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: body))
    }
}

extension HTTPFields {
    /// Adds the fields that state the limits of a key after a request.
    mutating func add(_ limits: [LimitStatus]) {
        for (name, value) in LimitFields.fields(limits) {
            if let name = HTTPField.Name(name) { append(HTTPField(name: name, value: value)) }
        }
    }
}
