import AuthKeys
import ControlBodies
import HTTPTypes
import Hummingbird
import KeyAdministration

/// The routes of the limits and credits of one key.
struct KeyLimitRoutes: AdminRoutes {
    static let path = AuthKeyRoutes.path

    let service: AuthKeyService

    var routes: [AdminRoute] {
        [
            AdminRoute(.get, "/{id}/limits", needs: .keysRead, as: .keyRead, use: show),
            AdminRoute(
                .post, "/{id}/limits/{name}/reset", needs: .keysWrite, as: .keyResetLimit, computes: false, use: reset),
            AdminRoute(.post, "/{id}/credits", needs: .keysWrite, as: .keyChangeCredits, use: changeCredits),
        ]
    }

    private func show(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let (key, limits) = try await service.limits(ofKey: try context.parameters.require("id"), for: call.admin)
        return try JSONBody.response(
            KeyLimitsJSON(limits: limits.map { KeyLimitsJSON.Level($0) }, credits: key.credits?.json))
    }

    private func reset(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let (id, name) = (try context.parameters.require("id"), try context.parameters.require("name"))
        try await service.resetLimit(name, ofKey: id, by: call)
        return Response(status: .noContent)
    }

    private func changeCredits(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        var request = request
        let id = try context.parameters.require("id")
        let body = try JSONBody.decode(CreditsBody.self, from: try await request.collectBody(upTo: .max))
        let key = try await service.changeCredits(
            ofKey: id, body.change, idempotencyKey: request.headers[.idempotencyKey], by: call)
        var response = try JSONBody.response(KeyJSON(key, now: .now))
        response.headers[.eTag] = EntityTag.text(key.version)
        return response
    }
}

/// The body of `POST /{id}/credits`: `add` or `set`.
struct CreditsBody: Decodable {
    let change: CreditChange

    enum CodingKeys: String, CodingKey, CaseIterable {
        case add, set
    }

    init(from decoder: any Decoder) throws {
        try decoder.refuseMembers(beyond: CodingKeys.self)
        let members = try decoder.container(keyedBy: CodingKeys.self)
        switch (try members.wholeNumber(forKey: .add), try members.wholeNumber(forKey: .set)) {
        case (let units?, nil): change = .add(units)
        case (nil, let units?): change = .set(units)
        case (nil, nil): throw APIError.validation("add or set is required", param: "add")
        case (_?, _?): throw APIError.validation("add and set must not both be given", param: "set")
        }
    }
}

extension KeyLimitsJSON.Level {
    init(_ limit: KeyLimit) {
        let (plan, owner): (String?, String?) =
            switch limit.holder {
            case .plan(let name): (name, nil)
            case .owner(let owner): (nil, owner)
            case nil: (nil, nil)
            }
        let used = limit.level.used.rounded(.up)
        self.init(
            name: limit.rule.name, limit: limit.rule.json, plan: plan, owner: owner, used: used,
            remaining: max(0, Double(limit.rule.most) - used),
            resetSeconds: limit.level.reset.map { ($0 / .milliseconds(1)).rounded() / 1_000 })
    }
}

extension LimitRule {
    /// The maximum number of units at once.
    fileprivate var most: Int64 { if case .rate(_, let burst) = kind { burst } else { limit } }
}
