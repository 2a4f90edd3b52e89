import ControlAPI
import NIOCore
import NIOHTTP1

/// The requests for admin keys, the audit trail and instances.
extension ControlClient {
    private static let adminKeys = "/admin/api/v1/admin-keys"
    private static let audit = "/admin/api/v1/audit-events"

    func adminKeyList() async throws -> Answer {
        try await send(.GET, Self.adminKeys)
    }

    func adminKey(_ id: String) async throws -> Answer {
        try await send(.GET, "\(Self.adminKeys)/\(PercentEncoding.encode(id))")
    }

    func createAdminKey(_ members: [String: Member]) async throws -> Answer {
        try await send(.POST, Self.adminKeys, body: members)
    }

    func updateAdminKey(_ id: String, _ members: [String: Member], version: Int64?) async throws -> Answer {
        try await send(.PATCH, "\(Self.adminKeys)/\(PercentEncoding.encode(id))", body: members, version: version)
    }

    func deactivateAdminKey(_ id: String) async throws {
        _ = try await send(.POST, "\(Self.adminKeys)/\(PercentEncoding.encode(id))/deactivate")
    }

    func instances() async throws -> Answer {
        try await send(.GET, "/admin/api/v1/instances")
    }

    func resync(acceptDatabase: Bool) async throws -> Answer {
        try await send(.POST, "/admin/api/v1/instances/resync", body: ["accept_database": acceptDatabase])
    }

    func auditEvents(query: [(String, String)]) async throws -> Answer {
        try await send(.GET, Self.audit + Self.text(query))
    }

    func verifyAudit(expecting anchor: String?) async throws -> Answer {
        let query = anchor.map { [("expect", $0)] } ?? []
        return try await send(.GET, Self.audit + "/verify" + Self.text(query), timeout: .hours(6))
    }

    func exportAudit(query: [(String, String)], _ take: (ByteBuffer) throws -> Void) async throws {
        try await stream(Self.audit + "/export" + Self.text(query), timeout: .hours(24), take)
    }
}
