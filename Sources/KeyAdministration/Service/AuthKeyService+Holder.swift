public import AuthKeys

/// Operations of the holder of a key on the key.
extension AuthKeyService {
    /// The result of a rotation by the holder of the key.
    public enum HolderRotationResult: Sendable {
        case rotated(IssuedKey, rotation: KeyID)
        case refused(HolderRefusal)
    }

    /// Gives a key a new secret on behalf of its holder. Only the result contains the secret.
    /// - Parameters:
    ///   - digest: the digest of the secret that the holder presented.
    ///   - grace: the time for which that secret stays valid.
    public func rotate(
        _ id: KeyID, byHolderOf digest: SecretDigest, grace: Duration, from origin: CallOrigin
    ) async throws(AuthKeyError) -> HolderRotationResult {
        try FieldRules.grace(grace)
        let known = try await ask(await store.key(id))
        guard let known else { return .refused(.ended) }
        let token = Token.generate(prefix: known.tokenPrefix ?? .standard)
        let rotation = Rotation(id: .generate(at: time.now()), secret: NewSecret(token), grace: grace)
        // Without a permission: the store checks what the key allows.
        let call = AdminCall(admin: Admin(actor: .keyHolder(id, name: known.name), permissions: []), origin: origin)
        let outcome = try await ask(
            repetition: .duplicating,
            await store.rotate(id, byHolder: HolderRotation(rotation, presented: digest), call))
        switch outcome {
        case .rotated(let changed): return .rotated(IssuedKey(key: apply(changed), token: token), rotation: rotation.id)
        case .refused(let refusal): return .refused(refusal)
        }
    }

    /// Returns a key as stored, and its requests of the current UTC day as far as they are stored or counted on this
    /// instance. Nil if there is no such key.
    public func holderRecord(of id: KeyID) async throws(AuthKeyError) -> (key: AuthKey, requestsToday: Int64)? {
        guard let key = try await ask(await store.key(id)) else { return nil }
        let stored = try await ask(await store.usage(id, days: 1))
        let today = Int32(clamping: time.now().microseconds / 86_400_000_000)
        let written = stored?.days.first { $0.number == today }?.requests ?? 0
        return (key, written + (await usage?.unwrittenRequests(of: id, on: today) ?? 0))
    }
}
