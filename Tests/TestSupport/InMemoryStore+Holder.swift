public import AuthKeys
public import KeyAdministration

extension InMemoryStore {
    public func rotate(
        _ id: KeyID, byHolder rotation: HolderRotation, _ call: AdminCall
    ) async throws(StoreError) -> HolderRotateOutcome {
        guard let key = try await key(id) else { return .refused(.ended) }
        let now = time.now()
        let secrets = try read { $0.rows[id]?.secrets ?? [] }
        let age = now.microseconds - (secrets.last?.createdAt ?? now).microseconds
        let refusal = HolderRefusal.of(
            key, rotation, newest: secrets.last?.digest,
            sinceRotation: secrets.count > 1 ? .microseconds(age) : nil, at: now)
        if let refusal { return .refused(refusal) }
        switch try await rotate(id, version: key.version, rotation.rotation, claim: nil, by: call) {
        case .rotated(let changed): return .rotated(changed)
        case .outdated: return .refused(.secretReplaced)
        case .replayed, .claimedOtherwise, .unknown, .ended: return .refused(.ended)
        }
    }
}
