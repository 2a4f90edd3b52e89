import AuthKeys
import ControlBodies
import HTTPTypes
import Hummingbird
import KeyAdministration

/// The body that sets the limits of a plan or of an owner. It replaces all of them.
struct SharedLimitsBody: Decodable {
    private let description: String
    private let limits: KeyPatch.Change<[LimitRule]>

    enum CodingKeys: String, CodingKey, CaseIterable {
        case description, limits
    }

    init(from decoder: any Decoder) throws {
        try decoder.refuseMembers(beyond: CodingKeys.self)
        let members = try decoder.container(keyedBy: CodingKeys.self)
        description = try members.decodeIfPresent(String.self, forKey: .description) ?? ""
        limits = try members.limits(.limits)
    }

    /// Carries out a request with such a body.
    static func set(
        _ holder: LimitHolder, _ request: Request, on service: AuthKeyService, by call: AdminCall
    ) async throws -> Response {
        var request = request
        let version = try EntityTag.expected(by: request)
        let body = try JSONBody.decode(Self.self, from: try await request.collectBody(upTo: .max))
        guard case .set(let limits) = body.limits else {
            throw APIError.validation("limits is required", param: "limits")
        }
        let (changed, isNew) = try await service.setLimits(
            of: holder, version: version, to: SharedLimits.Content(description: body.description, limits: limits),
            by: call)
        return try answer(changed, status: isNew ? .created : .ok)
    }

    /// Returns a response with limits, and with their version as the entity tag.
    static func answer(_ limits: SharedLimits, status: HTTPResponse.Status = .ok) throws -> Response {
        var response = try JSONBody.response(json(limits), status: status)
        response.headers[.eTag] = EntityTag.text(limits.version)
        return response
    }

    static func json(_ limits: SharedLimits) -> SharedLimitsJSON {
        var json = json(withoutLimits: limits.holder)
        json.description = limits.content.description.isEmpty ? nil : limits.content.description
        json.limits = limits.content.limits.map(\.json)
        json.createdAt = limits.createdAt.description
        json.updatedAt = limits.updatedAt.description
        json.version = limits.version
        return json
    }

    static func json(withoutLimits holder: LimitHolder) -> SharedLimitsJSON {
        var json = SharedLimitsJSON()
        switch holder {
        case .plan(let name): json.name = name
        case .owner(let owner): json.owner = owner
        }
        return json
    }
}
