import HTTPTypes
import Hummingbird

/// Answers about keys are for nobody's cache (RFC 9111 section 5.2.2.5), errors included.
struct NoStore: RouterMiddleware {
    func handle(
        _ request: Request, context: ControlContext, next: (Request, ControlContext) async throws -> Response
    ) async throws -> Response {
        do {
            var response = try await next(request, context)
            response.headers[.cacheControl] = "no-store"
            return response
        } catch var error as APIError {
            error.headers[.cacheControl] = "no-store"
            throw error
        }
    }
}
