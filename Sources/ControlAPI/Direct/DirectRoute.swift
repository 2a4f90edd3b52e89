import HTTPTypes
import Hummingbird
import NIOCore

/// A route that mostly can answer without a wait, out of memory. It is a route of the router too: what it cannot answer at once
/// goes there.
protocol DirectRoute: Sendable {
    /// Its path, as metrics name it.
    var pattern: String { get }

    /// Unless it says otherwise, a POST to its path.
    func takes(_ head: HTTPRequest) -> Bool

    /// Whether it waits for a request's body.
    var readsBody: Bool { get }

    /// True where it answers only requests with a valid admin credential.
    var isForAdmins: Bool { get }

    /// Nil where the answer has to wait, or is an error that the router tells better. What is answered is counted and final.
    func answerNow(_ head: HTTPRequest, body: ByteBuffer) -> DirectAnswer?
}

extension DirectRoute {
    var readsBody: Bool { true }

    func takes(_ head: HTTPRequest) -> Bool { head.method == .post && head.path == pattern }
}

/// A whole answer.
struct DirectAnswer {
    var status: HTTPResponse.Status
    var headers: HTTPFields = [:]
    var body = ByteBuffer()
}

extension DirectAnswer {
    /// - Parameter json: the body.
    init(json: String) {
        self.init(status: .ok, headers: [.contentType: "application/json"], body: ByteBuffer(string: json))
    }

    /// The same answer of the router.
    var response: Response {
        var headers = headers
        headers[.contentLength] = String(body.readableBytes)
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: body))
    }
}
