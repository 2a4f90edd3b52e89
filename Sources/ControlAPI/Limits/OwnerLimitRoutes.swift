import HTTPTypes
import Hummingbird
import KeyAdministration

/// The routes under `/admin/api/v1/owners`. An owner is one segment of the path, with `%2F` for its slashes.
struct OwnerLimitRoutes: AdminRoutes {
    static let path = "/admin/api/v1/owners"
    static let noun = "owner"

    let service: AuthKeyService

    var routes: [AdminRoute] {
        [
            AdminRoute(.get, "/{owner}/limits", needs: .keysRead, as: .limitsRead, use: show),
            AdminRoute(.put, "/{owner}/limits", needs: .limitsWrite, as: .ownerLimitsSet, use: set),
            AdminRoute(
                .delete, "/{owner}/limits", needs: .limitsWrite, as: .ownerLimitsDelete, computes: false, use: delete),
        ]
    }

    private static func owner(_ context: ControlContext) throws -> LimitHolder {
        guard let owner = FormPairs.segment(try context.parameters.require("owner")) else {
            throw APIError.validation("owner must be UTF-8 in percent-encoding", param: "owner")
        }
        return .owner(owner)
    }

    /// Returns an empty list for an owner without limits.
    private func show(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let holder = try Self.owner(context)
        guard let limits = try await service.limits(of: holder, for: call.admin) else {
            return try JSONBody.response(SharedLimitsBody.json(withoutLimits: holder))
        }
        return try SharedLimitsBody.answer(limits)
    }

    private func set(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        try await SharedLimitsBody.set(try Self.owner(context), request, on: service, by: call)
    }

    private func delete(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let version = try EntityTag.expected(by: request)
        try await service.removeLimits(of: try Self.owner(context), version: version, by: call)
        return Response(status: .noContent)
    }
}
