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
        group.patch("{id}", use: update)
        group.get("{id}/explain", use: explain)
        group.get("{id}/usage", use: usage)
        group.delete("{id}", use: delete)
        group.post("{id}/rotate", use: rotate)
        group.delete("{id}/previous-secret", use: endPreviousSecret)
        group.post("{id}/deactivate", use: deactivate)
    }

    private func list(_ request: Request, _ context: ControlContext) async throws -> Response {
        let parameters = try ListParameters(request.uri)
        let page = try await ask(context) { () async throws(AuthKeyError) in try await service.list(parameters.query) }
        let now = time.now()
        var response = try JSONBody.response(page.keys.map { KeyJSON($0, now: now) })
        if let next = page.next { response.headers[.link] = parameters.link(to: next) }
        if parameters.wantsTotal {
            let total = try await ask(context) { () async throws(AuthKeyError) in
                try await service.count(parameters.query)
            }
            response.headers[.totalCount] = String(total.count)
            response.headers[.totalCountExact] = String(total.isExact)
        }
        return response
    }

    private func create(_ request: Request, _ context: ControlContext) async throws -> Response {
        var request = request
        let body = try JSONBody.decode(CreateKeyBody.self, from: try await request.collectBody(upTo: .max))
        let wanted = body.request(idempotencyKey: request.headers[.idempotencyKey])
        let issued = try await ask(context) { () async throws(AuthKeyError) in try await service.create(wanted) }
        var response = try answer(KeyJSON(issued.key, now: time.now(), secret: issued.token), status: .created)
        response.headers[.location] = "\(Self.path)/\(issued.key.id)"
        return response
    }

    private func show(_ request: Request, _ context: ControlContext) async throws -> Response {
        let id = try context.parameters.require("id")
        let key = try await ask(context) { () async throws(AuthKeyError) in try await service.key(id) }
        return try answer(KeyJSON(key, now: time.now()))
    }

    private func explain(_ request: Request, _ context: ControlContext) async throws -> Response {
        let id = try context.parameters.require("id")
        let wanted = try ExplainParameters(request.uri)
        let explanation = try await ask(context) { () async throws(AuthKeyError) in
            try await service.explain(
                id, method: wanted.method, path: wanted.path, address: wanted.address, scopes: wanted.scopes)
        }
        return try JSONBody.response(ExplanationJSON(explanation))
    }

    private func usage(_ request: Request, _ context: ControlContext) async throws -> Response {
        let id = try context.parameters.require("id")
        let days = try UsageParameters(request.uri).days
        let report = try await ask(context) { () async throws(AuthKeyError) in try await service.usage(id, days: days) }
        return try JSONBody.response(UsageJSON(report))
    }

    private func update(_ request: Request, _ context: ControlContext) async throws -> Response {
        var request = request
        let id = try context.parameters.require("id")
        let version = try EntityTag.expected(by: request)
        let body = try JSONBody.decode(KeyPatchBody.self, from: try await request.collectBody(upTo: .max))
        let key = try await ask(context) { () async throws(AuthKeyError) in
            try await service.update(id, version: version, body.patch)
        }
        return try answer(KeyJSON(key, now: time.now()))
    }

    private func delete(_ request: Request, _ context: ControlContext) async throws -> Response {
        let id = try context.parameters.require("id")
        let version = try EntityTag.expected(by: request)
        try await ask(context) { () async throws(AuthKeyError) in try await service.delete(id, version: version) }
        return Response(status: .noContent)
    }

    private func rotate(_ request: Request, _ context: ControlContext) async throws -> Response {
        var request = request
        let id = try context.parameters.require("id")
        let version = try EntityTag.expected(by: request)
        let idempotencyKey = request.headers[.idempotencyKey]
        let bytes = try await request.collectBody(upTo: .max)
        let body = bytes.readableBytes == 0 ? nil : try JSONBody.decode(RotateBody.self, from: bytes)
        let grace = body?.graceSeconds.map { Duration.seconds($0) } ?? FieldRules.defaultGrace
        let (issued, rotation) = try await ask(context) { () async throws(AuthKeyError) in
            try await service.rotate(id, version: version, grace: grace, idempotencyKey: idempotencyKey)
        }
        return try answer(
            KeyJSON(issued.key, now: time.now(), secret: issued.token, rotation: rotation), status: .created)
    }

    private func endPreviousSecret(_ request: Request, _ context: ControlContext) async throws -> Response {
        let id = try context.parameters.require("id")
        try await ask(context) { () async throws(AuthKeyError) in try await service.endPreviousSecrets(id) }
        return Response(status: .noContent)
    }

    /// One key, with its version as the entity tag.
    private func answer(_ key: KeyJSON, status: HTTPResponse.Status = .ok) throws -> Response {
        var response = try JSONBody.response(key, status: status)
        response.headers[.eTag] = EntityTag.text(key.version)
        return response
    }

    private func deactivate(_ request: Request, _ context: ControlContext) async throws -> Response {
        let id = try context.parameters.require("id")
        let lastUsedAt = try await ask(context) { () async throws(AuthKeyError) in try await service.deactivate(id) }
        var response = Response(status: .noContent)
        if let lastUsedAt { response.headers[.keywardWarning] = "the auth key was in use: last used at \(lastUsedAt)" }
        return response
    }

    private func ask<R>(
        _ context: ControlContext, _ question: () async throws(AuthKeyError) -> R
    ) async throws(APIError) -> R {
        do throws(AuthKeyError) {
            return try await question()
        } catch {
            throw APIError(error, logger: context.logger)
        }
    }
}
