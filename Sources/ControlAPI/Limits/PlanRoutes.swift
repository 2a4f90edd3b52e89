import HTTPTypes
import Hummingbird
import KeyAdministration

/// The routes under `/admin/api/v1/plans`.
struct PlanRoutes: AdminRoutes {
    static let path = "/admin/api/v1/plans"
    static let noun = "plan"

    let service: AuthKeyService

    var routes: [AdminRoute] {
        [
            AdminRoute(.get, needs: .keysRead, as: .limitsRead, use: list),
            AdminRoute(.get, "/{name}", needs: .keysRead, as: .limitsRead, use: show),
            AdminRoute(.put, "/{name}", needs: .limitsWrite, as: .planSet, use: set),
            AdminRoute(.delete, "/{name}", needs: .limitsWrite, as: .planDelete, computes: false, use: delete),
        ]
    }

    private static func plan(_ context: ControlContext) throws -> LimitHolder {
        .plan(try context.parameters.require("name"))
    }

    private func list(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        try JSONBody.response(try await service.plans().map { SharedLimitsBody.json($0) })
    }

    private func show(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let holder = try Self.plan(context)
        guard let plan = try await service.limits(of: holder, for: call.admin) else {
            throw AuthKeyError.notFound(id: holder.name)
        }
        return try SharedLimitsBody.answer(plan)
    }

    private func set(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        try await SharedLimitsBody.set(try Self.plan(context), request, on: service, by: call)
    }

    private func delete(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let version = try EntityTag.expected(by: request)
        try await service.removeLimits(of: try Self.plan(context), version: version, by: call)
        return Response(status: .noContent)
    }
}
