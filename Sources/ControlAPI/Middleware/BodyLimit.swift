import HTTPTypes
import Hummingbird
import NIOCore

/// Takes a request's body in whole before anything else looks at the request, and refuses one that is larger than the limit.
struct BodyLimit: RouterMiddleware {
    /// In bytes.
    let limit: Int
    /// Paths whose bodies are read as they come, by whoever answers there.
    let streamed: Set<String>

    func handle(
        _ request: Request, context: ControlContext, next: (Request, ControlContext) async throws -> Response
    ) async throws -> Response {
        if streamed.contains(request.uri.path) { return try await next(request, context) }
        var request = request
        if let announced = request.headers[.contentLength], Int(announced).map({ $0 > limit }) ?? true {
            throw refusal
        }
        do {
            _ = try await request.collectBody(upTo: limit)
        } catch is NIOTooManyBytesError {
            throw refusal
        } catch {
            // The client went away: nothing here failed.
            throw APIError.invalidJSON("it did not come to its end")
        }
        return try await next(request, context)
    }

    private var refusal: APIError {
        APIError(
            .contentTooLarge, .invalidRequest, "the request body must be at most \(limit) bytes",
            code: "body_too_large")
    }
}
