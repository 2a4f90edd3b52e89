import HTTPTypes
import Hummingbird
import NIOCore
import NIOFoundationCompat

/// A route that mostly can answer without a wait, out of memory. It is a route of the router too: what it cannot answer at once
/// goes there.
protocol DirectRoute: Sendable {
    /// In metrics.
    var pattern: String { get }

    func takes(_ head: HTTPRequest) -> Bool

    /// Nil where the answer has to wait, or is an error that the router tells better. What is answered is counted and final.
    func answerNow(_ head: HTTPRequest, body: ByteBuffer) -> DirectAnswer?
}

/// A whole answer.
struct DirectAnswer {
    var status: HTTPResponse.Status
    var headers: HTTPFields = [:]
    var body = ByteBuffer()
}

extension DirectAnswer {
    /// A value as its body, as `JSONBody` has it.
    init(json value: some Encodable) throws {
        let data = try JSONBody.bytes(value)
        self.init(status: .ok, headers: [.contentType: "application/json"], body: ByteBuffer(data: data))
    }

    /// The same answer of the router.
    var response: Response {
        var headers = headers
        headers[.contentLength] = String(body.readableBytes)
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: body))
    }
}
