import AuthKeys
import HTTPTypes
import Hummingbird
import KeyAdministration
import NIOCore

/// Unkey's API for keys (`POST /v2/keys.createKey` and its siblings), as far as Keyward has it. It serves the keys of
/// `AuthKeyRoutes`, with the same permissions and audit trail. A deactivated key appears as deleted.
struct UnkeyKeyRoutes: AdminRoutes {
    static let path = "/v2"

    let service: AuthKeyService

    var routes: [AdminRoute] {
        [
            AdminRoute(.post, "/keys.createKey", needs: .keysWrite, as: .keyCreate, use: create),
            AdminRoute(.post, "/keys.getKey", needs: .keysRead, as: .keyRead, about: Self.subject, use: show),
            AdminRoute(.post, "/keys.updateKey", needs: .keysWrite, as: .keyUpdate, about: Self.subject, use: update),
            AdminRoute(
                .post, "/keys.deleteKey", needs: .keysWrite, as: .keyDeactivate, about: Self.subject, use: delete),
            AdminRoute(
                .post, "/keys.rerollKey", needs: .keysRotate, .keysWrite, as: .keyRotate, about: Self.subject,
                use: reroll),
            AdminRoute(
                .post, "/keys.updateCredits", needs: .keysWrite, as: .keyChangeCredits, about: Self.subject,
                use: updateCredits),
            permissions("/keys.addPermissions") { $0 + $1 },
            permissions("/keys.removePermissions") { scopes, removed in scopes.filter { !removed.contains($0) } },
            permissions("/keys.setPermissions") { $1 },
            AdminRoute(.post, "/apis.listKeys", needs: .keysRead, as: .keyRead, use: list),
        ]
    }

    private static let subject: AdminRoute.Subject = { request, _ in
        guard let bytes = try? await request.body.collect(upTo: .max),
            let subject = try? JSONBody.decode(UnkeySubject.self, from: bytes)
        else { return nil }
        return subject.keyID.flatMap { KeyID($0) }
    }

    private func create(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let body = try await read(UnkeyCreateBody.self, of: request)
        let wanted = body.request(idempotencyKey: request.headers[.idempotencyKey])
        let issued = try await service.create(wanted, by: call)
        return try UnkeyAnswer.response(UnkeyIssuedJSON(issued), context)
    }

    private func show(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let body = try await read(UnkeyGetBody.self, of: request)
        let key = try await service.keptKey(body.keyID, for: call.admin)
        return try UnkeyAnswer.response(UnkeyKeyJSON(key), context)
    }

    private func list(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let query = try await read(UnkeyListBody.self, of: request).query
        let page = try await service.list(query, for: call.admin)
        let pagination = UnkeyPagination(hasMore: page.next != nil, cursor: page.next?.encoded)
        return try UnkeyAnswer.response(page.keys.map { UnkeyKeyJSON($0) }, context, pagination: pagination)
    }

    private func update(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let body = try await read(UnkeyUpdateBody.self, of: request)
        _ = try await change(body.keyID, call) { body.applied(to: $0) }
        return try UnkeyAnswer.response(UnkeyNothing(), context)
    }

    private func updateCredits(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let body = try await read(UnkeyCreditsChangeBody.self, of: request)
        let kept = try await service.keptKey(body.keyID, for: call.admin)
        let key: AuthKey
        switch body.change {
        case .unlimited: key = try await change(body.keyID, call) { $0.with(credits: nil) }
        case .some(.set(let units)) where kept.credits == nil:
            key = try await change(body.keyID, call) { $0.with(credits: KeyCredits(remaining: units)) }
        case .some where kept.credits == nil:
            throw APIError.validation("operation must be set: the key's credits are unlimited", param: "operation")
        case .some(.add(0)), .some(.subtract(0)): key = kept
        case .some(let change):
            key = try await service.changeCredits(
                ofKey: body.keyID, change, idempotencyKey: request.headers[.idempotencyKey], by: call)
        }
        return try UnkeyAnswer.response(UnkeyCreditsJSON(key.credits), context)
    }

    private func permissions(
        _ path: String, _ change: @escaping @Sendable (_ scopes: [String], _ given: [String]) -> [String]
    ) -> AdminRoute {
        AdminRoute(.post, path, needs: .keysWrite, as: .keyUpdate, about: Self.subject) { request, context, call in
            let body = try await read(UnkeyPermissionsBody.self, of: request)
            let key = try await self.change(body.keyID, call) { attributes in
                var changed = attributes
                changed.scopes = change(attributes.scopes, body.permissions)
                return changed
            }
            return try UnkeyAnswer.response(key.scopes.map { UnkeyPermissionJSON($0) }, context)
        }
    }

    private func change(
        _ id: String, _ call: AdminCall, _ change: @escaping @Sendable (KeyAttributes) -> KeyAttributes
    ) async throws(AuthKeyError) -> AuthKey {
        _ = try await service.keptKey(id, for: call.admin)
        return try await service.update(id, version: nil, by: call, change)
    }

    /// Deactivates the key, and removes it if requested. A client that got no response may repeat the request; a
    /// removed key is then not found.
    private func delete(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let body = try await read(UnkeyDeleteBody.self, of: request)
        try await service.deactivate(body.keyID, by: call)
        if body.isPermanent {
            do throws(AuthKeyError) {
                try await service.delete(body.keyID, version: nil, by: call)
            } catch .store(let error, _) where error.kind == .unavailable {
                // The deactivation has been committed, the removal has not.
                throw AuthKeyError.store(StoreError(.outcomeUnknown, detail: error.detail))
            }
        }
        return try UnkeyAnswer.response(UnkeyNothing(), context)
    }

    private func reroll(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let body = try await read(UnkeyRerollBody.self, of: request)
        let idempotencyKey = request.headers[.idempotencyKey]
        _ = try await service.keptKey(body.keyID, for: call.admin)
        let issued = try await service.rotate(
            body.keyID, version: nil, grace: body.grace, idempotencyKey: idempotencyKey, by: call
        ).issued
        return try UnkeyAnswer.response(UnkeyIssuedJSON(issued), context)
    }

    private func read<Body: Decodable>(_ type: Body.Type, of request: Request) async throws -> Body {
        try JSONBody.decode(type, from: try await request.body.collect(upTo: .max))
    }
}

extension KeyAttributes {
    fileprivate func with(credits: KeyCredits?) -> KeyAttributes {
        var result = self
        result.credits = credits
        return result
    }
}

extension AuthKeyService {
    /// Returns a key that is not deactivated.
    func keptKey(_ id: String, for admin: Admin) async throws(AuthKeyError) -> AuthKey {
        let key = try await key(id, for: admin)
        guard key.deactivatedAt == nil else { throw .notFound(id: id) }
        return key
    }
}
