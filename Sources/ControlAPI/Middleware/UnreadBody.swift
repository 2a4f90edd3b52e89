import HTTPTypes
import Hummingbird
import NIOCore
import Synchronization

/// Ends the connection after an answer that did not wait for the end of its request: nothing is read without bound, not even
/// the rest of a body that is refused.
struct UnreadBody: RouterMiddleware {
    func handle(
        _ request: Request, context: ControlContext, next: (Request, ControlContext) async throws -> Response
    ) async throws -> Response {
        var request = request
        let body = WatchedBody(base: request.body)
        request.body = RequestBody(asyncSequence: body)
        var response = try await next(request, context)
        if body.progress.isOver || !request.headers.announceBody { return response }
        response.headers[.connection] = "close"
        let (written, channel) = (response.body, context.channel)
        // The client gets a second to read the answer: closing at once would reset it away (RFC 9112 section 9.6).
        response.body = ResponseBody(contentLength: written.contentLength) { writer in
            try await written.write(writer)
            _ = channel.eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
        }
        return response
    }
}

extension HTTPFields {
    /// Whether a request with these fields has a body (RFC 9112 section 6.3).
    var announceBody: Bool {
        self[.transferEncoding] != nil || self[.contentLength].map { $0 != "0" } ?? false
    }
}

/// A body that tells whether all of it was read.
private struct WatchedBody: AsyncSequence, Sendable {
    final class Progress: Sendable {
        private let over = Atomic<Bool>(false)

        var isOver: Bool { over.load(ordering: .relaxed) }
        func end() { over.store(true, ordering: .relaxed) }
    }

    let base: RequestBody
    let progress = Progress()

    struct AsyncIterator: AsyncIteratorProtocol {
        var base: RequestBody.AsyncIterator
        let progress: Progress

        mutating func next() async throws -> ByteBuffer? {
            let part = try await base.next()
            if part == nil { progress.end() }
            return part
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(base: base.makeAsyncIterator(), progress: progress)
    }
}
