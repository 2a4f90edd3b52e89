import AuthKeys
import HTTPTypes
import Hummingbird
import Logging

/// `/admin/api/v1/auth-keys`.
struct AuthKeyRoutes {
    static let path = "/admin/api/v1/auth-keys"

    let service: AuthKeyService
    let time: TimeSource

    func add(to group: RouterGroup<ControlContext>) {
        group.get(use: list)
        group.post(use: create)
        group.get("{id}", use: show)
        group.post("{id}/deactivate", use: deactivate)
    }

    private func list(_ request: Request, _ context: ControlContext) async throws -> Response {
        let parameters = try ListParameters(request.uri)
        let page = try await ask(context) { () async throws(AuthKeyError) in try await service.list(parameters.query) }
        let now = time.now()
        var response = try JSONBody.response(page.keys.map { KeyJSON($0, now: now) })
        if let next = page.next { response.headers[.link] = parameters.link(to: next) }
        return response
    }

    private func create(_ request: Request, _ context: ControlContext) async throws -> Response {
        var request = request
        let body = try JSONBody.decode(CreateKeyBody.self, from: try await request.collectBody(upTo: .max))
        let wanted = try body.request(idempotencyKey: request.headers[.idempotencyKey])
        let issued = try await ask(context) { () async throws(AuthKeyError) in try await service.create(wanted) }
        var response = try JSONBody.response(
            KeyJSON(issued.key, now: time.now(), secret: issued.token), status: .created)
        response.headers[.location] = "\(Self.path)/\(issued.key.id)"
        return response
    }

    private func show(_ request: Request, _ context: ControlContext) async throws -> Response {
        let id = try context.parameters.require("id")
        let key = try await ask(context) { () async throws(AuthKeyError) in try await service.key(id) }
        return try JSONBody.response(KeyJSON(key, now: time.now()))
    }

    private func deactivate(_ request: Request, _ context: ControlContext) async throws -> Response {
        let id = try context.parameters.require("id")
        try await ask(context) { () async throws(AuthKeyError) in try await service.deactivate(id) }
        return Response(status: .noContent)
    }

    private func ask<R>(
        _ context: ControlContext, _ question: () async throws(AuthKeyError) -> R
    ) async throws(APIError) -> R {
        do throws(AuthKeyError) {
            return try await question()
        } catch {
            if case .failed(let detail) = error {
                context.logger.error("admin request failed", metadata: ["error": "\(detail)"])
            }
            throw APIError(error)
        }
    }
}
