import AuthKeys
import KeyAdministration
public import LibPQ

/// A check that a database holds an admin key that can administer admin keys. It needs no store.
public enum AdminKeyCheck {
    public static func canAdminister(on connection: PostgresConnection) async throws -> Bool {
        let exists = try await connection.query("SELECT to_regclass('admin_keys') IS NOT NULL")
        guard let row = exists.rows.first, try row.bool(0) else { return false }
        let keys = try await connection.query(AdminKeySQL.administrators).rows.map { try $0.read(AdminKey.init(row:)) }
        return keys.contains { $0.reach(at: .now) > .none }
    }
}
