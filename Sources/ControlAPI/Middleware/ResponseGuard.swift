import HTTPTypes
import Hummingbird
import Logging
import NIOCore

extension HTTPField.Name {
    static let requestID = named("x-request-id")
    static let idempotencyKey = named("idempotency-key")
    static let link = named("link")
    /// The number of keys on all pages, and whether it is exact.
    static let totalCount = named("x-total-count")
    static let totalCountExact = named("x-total-count-exact")

    /// Returns the name of a field; `name` is a literal that is a valid token.
    private static func named(_ name: String) -> HTTPField.Name {
        HTTPField.Name(name) ?? .contentLocation
    }
}

/// The outermost middleware. Every response gets a request id, only documents may be cached, and responses to HEAD have
/// no body. Every failure becomes an error of the API, without internal causes.
struct ResponseGuard: RouterMiddleware {
    let methods: RouteMethods
    private let failures = FailureLog()

    init(methods: RouteMethods) { self.methods = methods }

    func handle(
        _ request: Request, context: ControlContext, next: (Request, ControlContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        context.failures = failures
        var response: Response
        do {
            response = try await next(request, context)
        } catch let error as APIError {
            response = try answer(error, to: request, context)
        } catch let error as HTTPError where error.status == .notFound {
            response = try answer(noRoute(for: request), to: request, context)
        } catch {
            failures.log(.error, "request failed", cause: "\(type(of: error))", to: context.logger)
            response = try answer(.internal, to: request, context)
        }
        Self.complete(
            &response.headers, requestID: context.requestID,
            mayBeStored: Self.documents.contains(Self.path(of: request)))
        return request.method == .head ? response.createHeadResponse() : response
    }

    /// Adds the fields that every response has. Responses about keys must not be stored (RFC 9111 section 5.2.2.5),
    /// errors included.
    static func complete(_ headers: inout HTTPFields, requestID: String, mayBeStored: Bool) {
        headers[.requestID] = requestID
        if !mayBeStored { headers[.cacheControl] = "no-store" }
    }

    /// The paths whose responses are the same for all callers.
    private static let documents = ["/docs", "/openapi.json"]

    /// Returns the path as the router reads it, without empty segments.
    private static func path(of request: Request) -> String {
        "/" + request.uri.path.split(separator: "/").joined(separator: "/")
    }

    private func answer(_ error: APIError, to request: Request, _ context: ControlContext) throws -> Response {
        guard Self.path(of: request).hasPrefix(UnkeyError.path) else {
            return try error.response(from: request, context: context)
        }
        return try UnkeyError(error, in: request, context).response()
    }

    private func noRoute(for request: Request) -> APIError {
        let asked = "\(request.method.rawValue.prefix(40)) \(request.uri.path.prefix(200))"
        let allowed = methods.methods(for: request.uri.path).joined(separator: ", ")
        if allowed.isEmpty {
            let reason = UnkeyError.absence(at: Self.path(of: request)).map { ": \($0)" } ?? ""
            return APIError(.notFound, .notFound, "no such route: \(asked)\(reason)", code: "route_not_found")
        }
        return APIError(
            .methodNotAllowed, .invalidRequest, "no such route: \(asked); the path accepts \(allowed)",
            code: "unsupported_method", headers: [.allow: allowed])
    }
}
