import HTTPTypes
import Hummingbird
import KeyAdministration

/// The routes under `/admin/api/v1/instances`.
struct InstanceRoutes: AdminRoutes {
    static let path = "/admin/api/v1/instances"
    static let noun = "instance"

    let service: AuthKeyService

    var routes: [AdminRoute] {
        [AdminRoute(.post, "/resync", needs: .admin, as: .instancesResync, use: resync)]
    }

    private struct Order: Codable {
        let acceptDatabase: Bool

        enum CodingKeys: String, CodingKey, CaseIterable {
            case acceptDatabase = "accept_database"
        }

        init(acceptDatabase: Bool) {
            self.acceptDatabase = acceptDatabase
        }

        init(from decoder: any Decoder) throws {
            try decoder.refuseMembers(beyond: CodingKeys.self)
            let members = try decoder.container(keyedBy: CodingKeys.self)
            acceptDatabase =
                members.contains(.acceptDatabase) ? try members.decode(Bool.self, forKey: .acceptDatabase) : false
        }
    }

    /// Responds with 202: the order is in the database, and each instance executes it at its next read of the change
    /// feed.
    private func resync(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        var request = request
        let body = try await request.collectBody(upTo: .max)
        let order = body.readableBytes == 0 ? nil : try JSONBody.decode(Order.self, from: body)
        let acceptsDatabase = order?.acceptDatabase == true
        try await service.resync(acceptsDatabase: acceptsDatabase, by: call)
        return try JSONBody.response(Order(acceptDatabase: acceptsDatabase), status: .accepted)
    }
}
