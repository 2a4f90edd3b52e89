import ControlAPI
import NIOHTTP1

/// The requests for plans, limits of owners, levels and credits.
extension ControlClient {
    /// Returns the target of a plan.
    static func plan(_ name: String) -> String { "/admin/api/v1/plans/\(PercentEncoding.encode(name))" }

    /// Returns the target of the limits of an owner.
    static func limits(ofOwner owner: String) -> String {
        "/admin/api/v1/owners/\(PercentEncoding.encode(owner))/limits"
    }

    func plans() async throws -> Answer {
        try await send(.GET, "/admin/api/v1/plans")
    }

    /// - Parameter target: that of a plan or of the limits of an owner.
    func sharedLimits(_ target: String) async throws -> Answer {
        try await send(.GET, target)
    }

    func setSharedLimits(_ target: String, _ members: [String: Member], version: Int64?) async throws -> Answer {
        try await send(.PUT, target, body: members, version: version)
    }

    func deleteSharedLimits(_ target: String) async throws {
        _ = try await send(.DELETE, target)
    }

    func limits(ofKey id: String) async throws -> Answer {
        try await send(.GET, "\(Self.path)/\(PercentEncoding.encode(id))/limits")
    }

    func resetLimit(_ name: String, ofKey id: String) async throws {
        let key = "\(Self.path)/\(PercentEncoding.encode(id))"
        _ = try await send(.POST, "\(key)/limits/\(PercentEncoding.encode(name))/reset")
    }

    func changeCredits(ofKey id: String, _ change: [String: Int64], idempotencyKey: String?) async throws -> Answer {
        try await send(
            .POST, "\(Self.path)/\(PercentEncoding.encode(id))/credits", body: change, idempotencyKey: idempotencyKey)
    }
}
