import AuthKeys

extension AuthKeyService {
    /// Orders all instances to load all keys again.
    /// - Parameter acceptsDatabase: whether they accept the database if it reactivates a key or lacks keys that are in
    ///   memory.
    /// - Throws: `.allOwners` for an admin of one owner's keys; `.store`.
    public func resync(acceptsDatabase: Bool, by call: AdminCall) async throws(AuthKeyError) {
        guard call.admin.owner == nil else { throw .allOwners }
        try await ask(await store.order(acceptsDatabase ? .acceptDatabase : .resync, by: call))
    }
}
