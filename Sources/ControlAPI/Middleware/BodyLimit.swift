import HTTPTypes
import Hummingbird
import NIOCore

/// Reads the whole body of a request before a route handles it, and refuses a body beyond the limit.
///
/// If the client waits for 100 (Continue), the body is read after authentication, so a refusal before that costs no
/// body (RFC 9110 section 10.1.1).
struct BodyLimit: RouterMiddleware {
    /// The limit, in bytes.
    static let bytes = 64 * 1024

    let streamed: StreamedRoutes

    func handle(
        _ request: Request, context: ControlContext, next: (Request, ControlContext) async throws -> Response
    ) async throws -> Response {
        if streamed.contains(request.method, request.uri.path.utf8) { return try await next(request, context) }
        if let announced = request.headers[.contentLength], Int(announced).map({ $0 > BodyLimit.bytes }) ?? true {
            throw APIError.bodyTooLarge
        }
        if request.headers.expectContinue { return try await next(request, context) }
        var request = request
        try await request.readBody()
        return try await next(request, context)
    }
}

extension Request {
    /// Reads the body of a client that waits for 100 (Continue). `BodyLimit` has read the body of any other.
    mutating func readAwaitedBody() async throws(APIError) {
        if headers.expectContinue { try await readBody() }
    }

    /// Reads the body and keeps it, so each later read returns the whole body again.
    fileprivate mutating func readBody() async throws(APIError) {
        do {
            _ = try await collectBody(upTo: BodyLimit.bytes)
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
        .contentTooLarge, .invalidRequest, "the request body must be at most \(BodyLimit.bytes) bytes",
        code: "body_too_large")
}
