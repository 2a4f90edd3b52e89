import AuthKeys
import ControlBodies
import HTTPTypes
import Hummingbird
import KeyAdministration
import Logging

/// The routes under `/admin/api/v1/auth-keys`.
struct AuthKeyRoutes: AdminRoutes {
    static let path = "/admin/api/v1/auth-keys"

    let service: AuthKeyService

    var routes: [AdminRoute] {
        [
            AdminRoute(
                .get, needs: .keysRead, takes: ListParameters.filters + ListParameters.paging + ["total"], as: .keyRead,
                use: list),
            AdminRoute(.post, needs: .keysWrite, as: .keyCreate, use: create),
            AdminRoute(.get, "/{id}", needs: .keysRead, as: .keyRead, use: show),
            AdminRoute(.patch, "/{id}", needs: .keysWrite, as: .keyUpdate, use: update),
            AdminRoute(
                .get, "/{id}/explain", needs: .keysRead, takes: ExplainParameters.names, as: .keyRead, use: explain),
            AdminRoute(.get, "/{id}/usage", needs: .keysRead, takes: UsageParameters.names, as: .keyRead, use: usage),
            AdminRoute(.delete, "/{id}", needs: .keysWrite, as: .keyDelete, computes: false, use: delete),
            AdminRoute(.post, "/{id}/rotate", needs: .keysRotate, .keysWrite, as: .keyRotate, use: rotate),
            AdminRoute(
                .delete, "/{id}/previous-secret", needs: .keysWrite, as: .keyEndPreviousSecret, computes: false,
                use: endPreviousSecret),
            AdminRoute(
                .post, "/{id}/deactivate", needs: .keysWrite, as: .keyDeactivate, computes: false, use: deactivate),
        ]
    }

    private func list(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let parameters = try ListParameters(request.uri)
        let page = try await service.list(parameters.query, for: call.admin)
        let now = Timestamp.now
        var response = try JSONBody.response(page.keys.map { KeyJSON($0, now: now) })
        if let next = page.next { response.headers[.link] = parameters.link(to: next) }
        if parameters.wantsTotal {
            let total = try await service.count(parameters.query, for: call.admin)
            response.headers[.totalCount] = String(total.count)
            response.headers[.totalCountExact] = String(total.isExact)
        }
        return response
    }

    private func create(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        var request = request
        let body = try JSONBody.decode(CreateKeyBody.self, from: try await request.collectBody(upTo: .max))
        let wanted = body.request(idempotencyKey: request.headers[.idempotencyKey])
        let issued = try await service.create(wanted, by: call)
        var response = try answer(KeyJSON(issued.key, now: .now, secret: issued.token), status: .created)
        response.headers[.location] = "\(Self.path)/\(issued.key.id)"
        return response
    }

    private func show(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let id = try context.parameters.require("id")
        let key = try await service.key(id, for: call.admin)
        return try answer(KeyJSON(key, now: .now))
    }

    private func explain(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let id = try context.parameters.require("id")
        let wanted = try ExplainParameters(request.uri)
        let explanation = try await service.explain(
            id, method: wanted.method, path: wanted.path, address: wanted.address, scopes: wanted.scopes,
            for: call.admin)
        return try JSONBody.response(ExplanationJSON(explanation))
    }

    private func usage(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let id = try context.parameters.require("id")
        let wanted = try UsageParameters(request.uri)
        let report = try await service.usage(id, days: wanted.days, for: call.admin)
        let traffic = try await service.traffic(of: id, days: wanted.days, hours: wanted.hours, for: call.admin)
        return try JSONBody.response(UsageJSON(report, days: traffic.days, hours: traffic.hours))
    }

    private func update(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        var request = request
        let id = try context.parameters.require("id")
        let version = try EntityTag.expected(by: request)
        let body = try JSONBody.decode(UpdateKeyBody.self, from: try await request.collectBody(upTo: .max))
        let key = try await service.update(id, version: version, body.patch, by: call)
        return try answer(KeyJSON(key, now: .now))
    }

    private func delete(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let id = try context.parameters.require("id")
        let version = try EntityTag.expected(by: request)
        try await service.delete(id, version: version, by: call)
        return Response(status: .noContent)
    }

    private func rotate(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        var request = request
        let id = try context.parameters.require("id")
        let version = try EntityTag.expected(by: request)
        let idempotencyKey = request.headers[.idempotencyKey]
        let bytes = try await request.collectBody(upTo: .max)
        let body = bytes.readableBytes == 0 ? nil : try JSONBody.decode(RotateBody.self, from: bytes)
        let grace = body?.graceSeconds.map { Duration.seconds($0) } ?? FieldRules.defaultGrace
        let (issued, rotation) = try await service.rotate(
            id, version: version, grace: grace, idempotencyKey: idempotencyKey, by: call)
        return try answer(
            KeyJSON(issued.key, now: .now, secret: issued.token, rotation: rotation), status: .created)
    }

    private func endPreviousSecret(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let id = try context.parameters.require("id")
        try await service.endPreviousSecrets(id, by: call)
        return Response(status: .noContent)
    }

    /// Returns a response with one key, and with its version as the entity tag.
    private func answer(_ key: KeyJSON, status: HTTPResponse.Status = .ok) throws -> Response {
        var response = try JSONBody.response(key, status: status)
        response.headers[.eTag] = EntityTag.text(key.version)
        return response
    }

    private func deactivate(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let id = try context.parameters.require("id")
        let lastUsedAt = try await service.deactivate(id, by: call)
        var response = Response(status: .noContent)
        if let lastUsedAt { response.headers[.keywardWarning] = "the auth key was in use: last used at \(lastUsedAt)" }
        return response
    }
}
