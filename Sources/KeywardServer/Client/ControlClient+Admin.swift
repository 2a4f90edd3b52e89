import AuthKeys
import ControlAPI
import FoundationEssentials
import NIOCore
import NIOHTTP1

/// The requests for admin keys, the audit trail and instances.
extension ControlClient {
    /// An admin key as the API represents it.
    struct AdminKey: Codable {
        let id: String
        let name: String
        let permissions: [String]
        let owner: String?
        let redactedValue: String
        let expiresAt: String?
        let deactivatedAt: String?
        let createdAt: String
        let updatedAt: String
        let lastUsedAt: String?
        let active: Bool
        let version: Int
        let value: String?

        enum CodingKeys: String, CodingKey {
            case id, name, permissions, owner, active, version, value
            case redactedValue = "redacted_value"
            case expiresAt = "expires_at"
            case deactivatedAt = "deactivated_at"
            case createdAt = "created_at"
            case updatedAt = "updated_at"
            case lastUsedAt = "last_used_at"
        }

        var status: String { deactivatedAt != nil ? "deactivated" : active ? "active" : "expired" }
    }

    /// An event of the audit trail as the API represents it.
    struct AuditEvent: Codable {
        struct Actor: Codable {
            let kind: String
            let id: String?
            let name: String?
        }

        let id: Int64
        let at: String
        let actor: Actor
        let address: String
        let requestID: String
        let action: String
        let keyID: String?
        let owner: String?
        let outcome: String
        let code: String?
        let changes: JSONValue
        let seq: Int64?
        let hash: String?

        enum CodingKeys: String, CodingKey {
            case id, at, actor, address, action, owner, outcome, code, changes, seq, hash
            case requestID = "request_id"
            case keyID = "key_id"
        }
    }

    /// The result of a verification of the audit trail.
    struct Verification: Codable {
        struct Head: Codable {
            let seq: Int64
            let hash: String
        }

        struct Finding: Codable {
            let kind: String
            let seq: Int64?
            let eventID: Int64?
            let message: String

            enum CodingKeys: String, CodingKey {
                case kind, seq, message
                case eventID = "event_id"
            }
        }

        let intact: Bool
        let head: Head?
        let sealed: Int
        let pending: Int
        let findingCount: Int
        let findings: [Finding]

        enum CodingKeys: String, CodingKey {
            case intact, head, sealed, pending, findings
            case findingCount = "finding_count"
        }
    }

    private static let adminKeys = "/admin/api/v1/admin-keys"
    private static let audit = "/admin/api/v1/audit-events"

    func adminKeyList() async throws -> Answer {
        try await send(.GET, Self.adminKeys)
    }

    func adminKey(_ id: String) async throws -> Answer {
        try await send(.GET, "\(Self.adminKeys)/\(PercentEncoding.encode(id))")
    }

    func createAdminKey(_ members: [String: Member]) async throws -> Answer {
        try await send(.POST, Self.adminKeys, body: Array(try JSONEncoder().encode(members)))
    }

    func updateAdminKey(_ id: String, _ members: [String: Member], version: Int64?) async throws -> Answer {
        try await send(
            .PATCH, "\(Self.adminKeys)/\(PercentEncoding.encode(id))", body: Array(try JSONEncoder().encode(members)),
            version: version)
    }

    func deactivateAdminKey(_ id: String) async throws {
        _ = try await send(.POST, "\(Self.adminKeys)/\(PercentEncoding.encode(id))/deactivate")
    }

    func resync(acceptDatabase: Bool) async throws -> Answer {
        let members: [String: Member] = ["accept_database": .flag(acceptDatabase)]
        return try await send(.POST, "/admin/api/v1/instances/resync", body: Array(try JSONEncoder().encode(members)))
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
