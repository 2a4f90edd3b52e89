import AuthKeys
import KeyAdministration

/// The requirements of rotations by the holders of keys.
extension StoreConformance {
    private static func holder(_ id: KeyID) -> AdminCall {
        AdminCall(
            admin: Admin(actor: .keyHolder(id, name: "n"), permissions: []),
            origin: CallOrigin(address: "192.0.2.7", requestID: "of-the-holder"))
    }

    private static func rotation(presenting digest: SecretDigest, grace: Duration = .seconds(60)) -> HolderRotation {
        HolderRotation(Rotation(id: .generate(), secret: newKey().secret, grace: grace), presented: digest)
    }

    private static func rotatable() -> NewKey {
        NewKey(
            id: .generate(), attributes: KeyAttributes(name: "n", owner: "acme", selfRotation: true),
            secret: newKey().secret)
    }

    static let holders: [StoreConformance] = [
        StoreConformance(description: "a holder rotates a key that allows it, once a minute") { store in
            let key = rotatable()
            _ = try await store.create(key, claim: nil)
            let second = rotation(presenting: key.digest)
            guard case .rotated(let changed) = try await store.rotate(key.id, byHolder: second, holder(key.id)) else {
                throw broken("rotated")
            }
            try expect(changed.key.lastFour == second.rotation.secret.lastFour, "the new secret")
            try expect(changed.key.previous?.redactedValue.hasSuffix(key.lastFour) == true, "the old one in its grace")
            try expect(changed.entries.count == 2 && changed.key.selfRotation, "both")
            let old = try await store.rotate(key.id, byHolder: rotation(presenting: key.digest), holder(key.id))
            try expect(old == .refused(.secretReplaced), "an old secret: \(old)")
            let again = try await store.rotate(
                key.id, byHolder: rotation(presenting: second.rotation.secret.digest), holder(key.id))
            guard case .refused(.tooSoon(let rest)) = again, rest > .seconds(1), rest <= .seconds(60) else {
                throw broken("too soon: \(again)")
            }
        },
        StoreConformance(description: "a holder rotates neither a key without permission nor one that ended") { store in
            let plain = newKey()
            _ = try await store.create(plain, claim: nil)
            let refused = try await store.rotate(
                plain.id, byHolder: rotation(presenting: plain.digest), holder(plain.id))
            try expect(refused == .refused(.notAllowed), "not allowed")
            let ended = rotatable()
            _ = try await store.create(ended, claim: nil)
            _ = try await store.deactivate(ended.id)
            let late = try await store.rotate(ended.id, byHolder: rotation(presenting: ended.digest), holder(ended.id))
            try expect(late == .refused(.ended), "deactivated")
            let missing = try await store.rotate(
                .generate(), byHolder: rotation(presenting: ended.digest), holder(ended.id))
            try expect(missing == .refused(.ended), "unknown")
            let disabled = rotatable()
            _ = try await store.create(disabled, claim: nil)
            _ = try await store.update(disabled.id, version: nil) { current in
                var wanted = current
                wanted.enabled = false
                return wanted
            }
            let off = try await store.rotate(
                disabled.id, byHolder: rotation(presenting: disabled.digest), holder(disabled.id))
            try expect(off == .refused(.ended), "disabled")
        },
        StoreConformance(description: "concurrent rotations by the holder rotate once") { store in
            let key = rotatable()
            _ = try await store.create(key, claim: nil)
            let outcomes = try await withThrowingTaskGroup(of: HolderRotateOutcome.self) { group in
                for _ in 0..<6 {
                    group.addTask {
                        try await store.rotate(key.id, byHolder: rotation(presenting: key.digest), holder(key.id))
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let rotated = outcomes.filter { if case .rotated = $0 { true } else { false } }
            try expect(rotated.count == 1, "\(rotated.count)")
        },
    ]
}
