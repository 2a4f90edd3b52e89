public import AuthKeys
public import KeyAdministration

extension AdminCall {
    /// A call of the bootstrap admin, as most tests need it.
    public static let test = AdminCall(
        admin: .bootstrap, origin: CallOrigin(address: "192.0.2.1", requestID: "request-of-a-test"))

    /// A call with an admin key.
    public static func of(
        _ name: String = "admin", owner: String? = nil
    ) -> AdminCall {
        AdminCall(
            admin: Admin(
                actor: .adminKey(.generate(), name: name), permissions: Set(AdminPermission.allCases), owner: owner),
            origin: AdminCall.test.origin)
    }
}

/// Overloads for tests in which the actor does not matter.
extension Store {
    public func create(_ key: NewKey, claim: IdempotencyClaim?) async throws(StoreError) -> CreateOutcome {
        try await create(key, claim: claim, by: .test)
    }

    public func deactivate(_ id: KeyID) async throws(StoreError) -> [KeyEntry]? {
        try await deactivate(id, by: .test)
    }

    public func update(
        _ id: KeyID, version: Int64?,
        _ change: @escaping @Sendable (KeyAttributes) throws(AuthKeyError) -> KeyAttributes
    ) async throws(StoreError) -> UpdateOutcome {
        try await update(id, version: version, by: .test, change)
    }

    public func delete(_ id: KeyID, version: Int64?) async throws(StoreError) -> DeleteOutcome {
        try await delete(id, version: version, by: .test)
    }

    public func rotate(
        _ id: KeyID, version: Int64?, _ rotation: Rotation, claim: IdempotencyClaim?
    ) async throws(StoreError) -> RotateOutcome {
        try await rotate(id, version: version, rotation, claim: claim, by: .test)
    }

    public func endPreviousSecrets(_ id: KeyID) async throws(StoreError) -> [KeyEntry]? {
        try await endPreviousSecrets(id, by: .test)
    }
}

extension AuthKeyService {
    public func create(_ request: KeyRequest) async throws(AuthKeyError) -> IssuedKey {
        try await create(request, by: .test)
    }

    public func deactivate(_ id: String) async throws(AuthKeyError) {
        try await deactivate(id, by: .test)
    }

    public func key(_ id: String) async throws(AuthKeyError) -> AuthKey {
        try await key(id, for: .bootstrap)
    }

    public func list(_ query: KeyQuery) async throws(AuthKeyError) -> (keys: [AuthKey], next: ListCursor?) {
        try await list(query, for: .bootstrap)
    }
}
