import AuthKeys
import ControlBodies
import HTTPTypes
import Hummingbird
import KeyAdministration

/// The routes under `/admin/api/v1/admin-keys`.
struct AdminKeyRoutes: AdminRoutes {
    static let path = "/admin/api/v1/admin-keys"
    static let noun = "admin key"

    let service: AdminKeyService

    var routes: [AdminRoute] {
        [
            AdminRoute(.get, needs: .admin, takes: ListParameters.paging, as: .adminKeyRead, use: list),
            AdminRoute(.post, needs: .admin, as: .adminKeyCreate, use: create),
            AdminRoute(.get, "/{id}", needs: .admin, as: .adminKeyRead, use: show),
            AdminRoute(.patch, "/{id}", needs: .admin, as: .adminKeyUpdate, use: update),
            AdminRoute(
                .post, "/{id}/deactivate", needs: .admin, as: .adminKeyDeactivate, computes: false, use: deactivate),
        ]
    }

    private func list(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let parameters = try QueryParameters(request.uri)
        let limit = try ListParameters.limit(parameters["limit"])
        let after = try ListParameters.cursor(parameters["cursor"]) { text in
            ListCursor(encoded: text).flatMap { $0.order == .newestFirst ? $0 : nil }
        }
        let page = try await service.list(limit: limit, after: after, for: call.admin)
        let now = Timestamp.now
        var response = try JSONBody.response(page.keys.map { AdminKeyJSON($0, now: now) })
        if let next = page.next {
            response.headers[.link] = ListParameters.link(Self.path, ["limit=\(limit)", "cursor=\(next.encoded)"])
        }
        return response
    }

    private func create(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        var request = request
        let body = try JSONBody.decode(AdminKeyBody.self, from: try await request.collectBody(upTo: .max))
        var wanted = body.patch.applied(to: AdminKeyAttributes(name: "", permissions: []))
        wanted.owner = body.owner
        let attributes = wanted
        let (key, token) = try await service.create(attributes, by: call)
        var response = try answer(key, secret: token, status: .created)
        response.headers[.location] = "\(Self.path)/\(key.id)"
        return response
    }

    private func show(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let id = try context.parameters.require("id")
        let key = try await service.key(id, for: call.admin)
        return try answer(key)
    }

    private func update(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        var request = request
        let id = try context.parameters.require("id")
        let version = try EntityTag.expected(by: request)
        let body = try JSONBody.decode(AdminKeyBody.self, from: try await request.collectBody(upTo: .max))
        guard !body.namesOwner else {
            throw APIError.validation("owner cannot be changed: create another admin key", param: "owner")
        }
        let key = try await service.update(id, version: version, body.patch, by: call)
        return try answer(key)
    }

    private func deactivate(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let id = try context.parameters.require("id")
        try await service.deactivate(id, by: call)
        return Response(status: .noContent)
    }

    private func answer(
        _ key: AdminKey, secret: Token? = nil, status: HTTPResponse.Status = .ok
    ) throws -> Response {
        var response = try JSONBody.response(AdminKeyJSON(key, now: .now, secret: secret), status: status)
        response.headers[.eTag] = EntityTag.text(key.version)
        return response
    }
}

/// The members of a body that describes an admin key.
struct AdminKeyBody: Decodable {
    private(set) var patch = AdminKeyPatch()
    let owner: String?
    let namesOwner: Bool

    enum CodingKeys: String, CodingKey, CaseIterable {
        case name, permissions, owner
        case expiresAt = "expires_at"
    }

    init(from decoder: any Decoder) throws {
        try decoder.refuseMembers(beyond: CodingKeys.self)
        let members = try decoder.container(keyedBy: CodingKeys.self)
        owner = try members.decodeIfPresent(String.self, forKey: .owner)
        namesOwner = members.contains(.owner)
        patch.name = try members.change(of: .name)
        patch.expiresAt = KeyPatchBody.moment(try members.change(of: .expiresAt))
        let permissions: KeyPatch.Change<[String]> = try members.change(of: .permissions)
        switch permissions {
        case .unchanged: break
        case .cleared: patch.permissions = .cleared
        case .set(let names): patch.permissions = .set(try Self.permissions(names))
        }
    }

    private static func permissions(_ names: [String]) throws(APIError) -> Set<AdminPermission> {
        var permissions: Set<AdminPermission> = []
        for name in names {
            guard let permission = AdminPermission(rawValue: name) else {
                let known = AdminPermission.allCases.map(\.rawValue).joined(separator: ", ")
                throw .validation("each of permissions must be one of \(known)", param: "permissions")
            }
            permissions.insert(permission)
        }
        return permissions
    }
}

extension AdminKeyJSON {
    init(_ key: AdminKey, now: Timestamp, secret: Token? = nil) {
        self.init(
            id: key.id.description, name: key.name, permissions: key.attributes.permissionNames,
            redactedValue: key.redactedValue, createdAt: key.createdAt.description,
            updatedAt: key.updatedAt.description, active: key.isActive(at: now), version: key.version)
        owner = key.owner
        expiresAt = key.expiresAt?.description
        deactivatedAt = key.deactivatedAt?.description
        lastUsedAt = key.lastUsedAt?.description
        value = secret?.value
    }
}
