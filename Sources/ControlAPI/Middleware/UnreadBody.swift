import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTPTypes
import Synchronization

/// Closes the connection after a response that did not wait for the end of its request, so that no unbounded body is
/// read. 100 (Continue) is sent when the body is first read, so a refusal before that costs no body (RFC 9110 section
/// 10.1.1).
struct UnreadBody: RouterMiddleware {
    func handle(
        _ request: Request, context: ControlContext, next: (Request, ControlContext) async throws -> Response
    ) async throws -> Response {
        var request = request
        let body = WatchedBody(
            base: request.body, awaiting: request.headers.expectContinue ? context.channel : nil)
        request.body = RequestBody(asyncSequence: body)
        var response = try await next(request, context)
        if body.progress.isOver || !request.headers.announceBody { return response }
        response.headers[.connection] = "close"
        let (written, channel) = (response.body, context.channel)
        // The client gets a second to read the response; an immediate close could discard it by a reset (RFC 9112
        // section 9.6).
        response.body = ResponseBody(contentLength: written.contentLength) { writer in
            try await written.write(writer)
            _ = channel.eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
        }
        return response
    }
}

extension HTTPFields {
    /// True if a request with these fields has a body (RFC 9112 section 6.3).
    var announceBody: Bool {
        self[.transferEncoding] != nil || self[.contentLength].map { $0 != "0" } ?? false
    }
}

extension HTTPFields {
    /// True if the client waits for 100 (Continue) before it sends its body.
    var expectContinue: Bool {
        guard announceBody, let expected = self[.expect], expected.utf8.count == 12 else { return false }
        return expected.lowercased() == "100-continue"
    }
}

/// A body that records whether all of it was read.
private struct WatchedBody: AsyncSequence, Sendable {
    final class Progress: Sendable {
        private let begun = Atomic<Bool>(false)
        private let over = Atomic<Bool>(false)

        var isOver: Bool { over.load(ordering: .relaxed) }
        func end() { over.store(true, ordering: .relaxed) }
        /// Returns true on the first call.
        func begin() -> Bool { !begun.exchange(true, ordering: .relaxed) }
    }

    let base: RequestBody
    /// The connection whose client waits for 100 (Continue); nil if the client does not wait.
    let awaiting: (any Channel)?
    let progress = Progress()

    struct AsyncIterator: AsyncIteratorProtocol {
        var base: RequestBody.AsyncIterator
        let awaiting: (any Channel)?
        let progress: Progress

        mutating func next() async throws -> ByteBuffer? {
            if let awaiting, progress.begin() {
                awaiting.writeAndFlush(HTTPResponsePart.head(HTTPResponse(status: .continue)), promise: nil)
            }
            let part = try await base.next()
            if part == nil { progress.end() }
            return part
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(base: base.makeAsyncIterator(), awaiting: awaiting, progress: progress)
    }
}
