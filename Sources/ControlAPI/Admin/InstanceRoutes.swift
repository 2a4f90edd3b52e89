import AuthKeys
import ControlBodies
import HTTPTypes
import Hummingbird
import KeyAdministration

/// The routes under `/admin/api/v1/instances`.
struct InstanceRoutes: AdminRoutes {
    static let path = "/admin/api/v1/instances"
    static let noun = "instance"

    let service: AuthKeyService
    let instances: any InstanceStore

    var routes: [AdminRoute] {
        [
            AdminRoute(.get, needs: .keysRead, as: .instancesRead, use: list),
            AdminRoute(.post, "/resync", needs: .admin, as: .instancesResync, use: resync),
        ]
    }

    private func list(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        // Hosts, versions and figures concern the keys of all owners.
        guard call.admin.owner == nil else { throw APIError.allOwners }
        return try JSONBody.response(try await instances.instances().map { InstanceJSON($0) })
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

extension InstanceJSON {
    init(_ record: InstanceRecord) {
        let identity = record.identity
        self.init(
            id: identity.id.description, name: identity.name, version: identity.version, kind: identity.kind.rawValue,
            startedAt: record.startedAt.description, seenAt: record.seenAt.description, live: record.isLive,
            figures: JSONBody.value(record.figures))
        // The position of an instance that no longer reports it is unknown.
        guard record.isLive else { return }
        indexAgeSeconds = record.progress.indexAge.map { ($0 / .milliseconds(1)).rounded() / 1_000 }
        lag = record.lag
    }
}
