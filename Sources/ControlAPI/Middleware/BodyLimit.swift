import HTTPTypes
import Hummingbird
import NIOCore

/// Takes a request's body in whole before anything else looks at the request, and ends the connection of a client that sends
/// more than the limit: nothing is read without bound, not even the rest of a body that is refused.
struct BodyLimit: RouterMiddleware {
    /// In bytes.
    let limit: Int

    func handle(
        _ request: Request, context: ControlContext, next: (Request, ControlContext) async throws -> Response
    ) async throws -> Response {
        var request = request
        if let announced = request.headers[.contentLength], Int(announced).map({ $0 > limit }) ?? true {
            return try refuse(request, context)
        }
        do {
            _ = try await request.collectBody(upTo: limit)
        } catch is NIOTooManyBytesError {
            return try refuse(request, context)
        }
        return try await next(request, context)
    }

    private func refuse(_ request: Request, _ context: ControlContext) throws -> Response {
        let response = try APIError(
            .contentTooLarge, .invalidRequest, "the request body must be at most \(limit) bytes",
            code: "body_too_large",
            headers: [.connection: "close"]
        ).response(from: request, context: context)
        let channel = context.channel
        // The client gets a second to read the answer: closing at once would reset it away (RFC 9112 section 9.6).
        return Response(
            status: response.status, headers: response.headers,
            body: ResponseBody { writer in
                try await response.body.write(writer)
                _ = channel.eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
            })
    }
}
