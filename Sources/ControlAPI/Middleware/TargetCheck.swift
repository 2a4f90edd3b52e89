import AuthKeys
import HTTPTypes
import Hummingbird

/// Refuses a request target that is too long, or has bytes that RFC 9112 section 3.2 does not allow.
struct TargetCheck: RouterMiddleware {
    typealias Context = ControlContext

    func handle(
        _ request: Request, context: ControlContext, next: (Request, ControlContext) async throws -> Response
    ) async throws -> Response {
        let target = (request.head.path ?? "").utf8
        guard target.count <= PlainHeads.targetLimit else {
            throw APIError(
                .uriTooLong, .invalidRequest, "the request target must be at most \(PlainHeads.targetLimit) bytes",
                code: "target_too_long")
        }
        if let fault = TargetFault(in: target, where: { !(0x21...0x7E).contains($0) || $0 == UInt8(ascii: "#") }) {
            throw APIError(.badRequest, .invalidRequest, fault.message, code: "malformed_request")
        }
        return try await next(request, context)
    }
}
