import AuthKeys
import HTTPCredentials
import HTTPTypes
import Hummingbird
import NIOCore

/// A route that can usually respond from memory, without a wait. It is also a route of the router, which gets the
/// requests that it cannot answer at once.
protocol DirectRoute: Sendable {
    /// The route's path, by which metrics name it.
    var pattern: String { get }

    /// True if the request is one of this route. The default is a POST to its path.
    func takes(_ head: HTTPRequest) -> Bool

    /// True if the route needs the request's body.
    var readsBody: Bool { get }

    /// True if the route responds only to requests with a valid admin credential.
    var isForAdmins: Bool { get }

    /// Returns the final response; nil if it requires a wait, or is an error that the router describes better. A
    /// returned response is counted as a use of the key.
    func answerNow(_ head: HTTPRequest, body: ByteBuffer, as request: DirectRequest) -> DirectAnswer?
}

extension DirectRoute {
    var readsBody: Bool { true }

    func takes(_ head: HTTPRequest) -> Bool { head.method == .post && head.path == pattern }
}

/// The identity of a request that gets a direct answer.
struct DirectRequest {
    let id: HTTPCredentials.RequestID
    /// The time at which the request was complete.
    let began: Timestamp
}

/// A complete response.
struct DirectAnswer {
    var status: HTTPResponse.Status
    var headers: HTTPFields = [:]
    var body = ByteBuffer()
}

extension DirectAnswer {
    /// - Parameter json: the body of the response.
    init(json: String) {
        self.init(status: .ok, headers: [.contentType: "application/json"], body: ByteBuffer(string: json))
    }

    /// The response in the router's form.
    var response: Response {
        var headers = headers
        headers[.contentLength] = String(body.readableBytes)
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: body))
    }
}
