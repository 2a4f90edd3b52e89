import HTTPTypes
import Hummingbird
import NIOCore

/// Reads the whole body of a request before a route handles it, and refuses a body beyond the limit.
///
/// If the client waits for 100 (Continue), the body is read after authentication, so a refusal before that costs no
/// body (RFC 9110 section 10.1.1).
struct BodyLimit: RouterMiddleware {
    /// The paths whose routes read the body as a stream.
    let streamed: Set<String>

    func handle(
        _ request: Request, context: ControlContext, next: (Request, ControlContext) async throws -> Response
    ) async throws -> Response {
        if streamed.contains(request.uri.path) { return try await next(request, context) }
        if let announced = request.headers[.contentLength], Int(announced).map({ $0 > ControlAPI.bodyLimit }) ?? true {
            throw APIError.bodyTooLarge
        }
        if request.headers.expectContinue { return try await next(request, context) }
        var request = request
        try await request.readBody()
        return try await next(request, context)
    }
}

extension Request {
    /// Reads the body and keeps it, so each later read returns the whole body again.
    mutating func readBody() async throws(APIError) {
        do {
            _ = try await collectBody(upTo: ControlAPI.bodyLimit)
        } catch is NIOTooManyBytesError {
            throw .bodyTooLarge
        } catch {
            // The client closed the connection.
            throw .invalidJSON("it is incomplete")
        }
    }
}

extension APIError {
    fileprivate static let bodyTooLarge = APIError(
        .contentTooLarge, .invalidRequest, "the request body must be at most \(ControlAPI.bodyLimit) bytes",
        code: "body_too_large")
}
