import AuthKeys
import AuthKeysPostgres
import KeyAdministration
import KeyAdministrationPostgres
import TestSupport

/// A change by a store, for tests that exercise each kind.
enum StoreChange: String, CaseIterable, Sendable {
    case create, createWithClaim, update, delete, deactivate, rotate, endPreviousSecrets
    case createAdminKey, updateAdminKey, deactivateAdminKey, importKeys

    /// The keys that the changes apply to.
    struct Keys: Sendable {
        let active: KeyID
        let deactivated: KeyID
        let adminKey: KeyID
    }

    /// Creates the keys that the changes need.
    static func prepare(_ store: PostgresAuthKeyStore) async throws -> Keys {
        let (active, deactivated) = (StoreConformance.newKey(), StoreConformance.newKey())
        _ = try await store.create(active, claim: nil)
        _ = try await store.rotate(
            active.id, version: nil, StoreConformance.rotation(grace: .seconds(600)), claim: nil)
        _ = try await store.create(deactivated, claim: nil)
        _ = try await store.deactivate(deactivated.id)
        let admin = newAdminKey()
        _ = try await store.createAdminKey(admin, by: .test)
        return Keys(active: active.id, deactivated: deactivated.id, adminKey: admin.id)
    }

    /// Performs the change with a request id.
    func run(_ store: PostgresAuthKeyStore, on keys: Keys, requestID: String) async throws {
        let call = AdminCall(
            admin: .bootstrap, origin: CallOrigin(address: "192.0.2.1", requestID: requestID))
        switch self {
        case .create: _ = try await store.create(StoreConformance.newKey(), claim: nil, by: call)
        case .createWithClaim:
            let claim = IdempotencyClaim(key: Token.generate().digest, request: Token.generate().digest)
            _ = try await store.create(StoreConformance.newKey(), claim: claim, by: call)
        case .update:
            _ = try await store.update(keys.active, version: nil, by: call) { current throws(AuthKeyError) in
                var wanted = current
                wanted.name += "+"
                return wanted
            }
        case .delete: _ = try await store.delete(keys.deactivated, version: nil, by: call)
        case .deactivate: _ = try await store.deactivate(keys.active, by: call)
        case .rotate:
            let rotation = StoreConformance.rotation(grace: .seconds(600))
            _ = try await store.rotate(keys.active, version: nil, rotation, claim: nil, by: call)
        case .endPreviousSecrets: _ = try await store.endPreviousSecrets(keys.active, by: call)
        case .createAdminKey: _ = try await store.createAdminKey(Self.newAdminKey(), by: call)
        case .updateAdminKey:
            _ = try await store.updateAdminKey(keys.adminKey, version: nil, keepsLast: false, by: call) {
                current throws(AuthKeyError) in
                var wanted = current
                wanted.name += "+"
                return wanted
            }
        case .deactivateAdminKey: _ = try await store.deactivateAdminKey(keys.adminKey, keepsLast: false, by: call)
        case .importKeys: _ = try await store.stageImport { try await $0.keep(schemes: [], by: call) }
        }
    }

    private static func newAdminKey() -> NewAdminKey {
        NewAdminKey(
            id: .generate(), attributes: AdminKeyAttributes(name: "one", permissions: [.admin]),
            secret: NewSecret(Token.generate(prefix: AdminKey.prefix)))
    }
}
