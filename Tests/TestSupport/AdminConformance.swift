public import AuthKeys
public import KeyAdministration

/// All store protocols that administration needs.
public typealias AdminStore = Store & AuditTrail & AdminKeyStore

/// The requirements of the audit trail and of admin keys, checked on the fake and on PostgreSQL. A violation is thrown.
public struct AdminConformance: Sendable, CustomStringConvertible {
    public let description: String
    public let check: @Sendable (any AdminStore) async throws -> Void

    public static let all: [AdminConformance] = trail + adminKeys

    private static let trail: [AdminConformance] = [
        AdminConformance(
            description: "each change of a key is in the trail with actor, origin, and values before and after"
        ) { store in
            let call = AdminCall.of("ci")
            let key = StoreConformance.newKey(name: "one", owner: "me", scopes: ["a"])
            _ = try await store.create(key, claim: nil, by: call)
            _ = try await store.update(key.id, version: nil, by: call) { current throws(AuthKeyError) in
                var wanted = current
                wanted.name = "two"
                wanted.owner = nil
                return wanted
            }
            let rotation = Rotation(
                id: .generate(), secret: NewSecret(Token.generate()), grace: .seconds(60))
            _ = try await store.rotate(key.id, version: nil, rotation, claim: nil, by: call)
            _ = try await store.endPreviousSecrets(key.id, by: call)
            _ = try await store.deactivate(key.id, by: call)
            _ = try await store.delete(key.id, version: nil, by: call)
            let events = try await store.events(AuditQuery(oldestFirst: true))
            let actions: [AuditAction] = [
                .keyCreate, .keyUpdate, .keyRotate, .keyEndPreviousSecret, .keyDeactivate, .keyDelete,
            ]
            try expect(events.map(\.action) == actions.map(\.rawValue), "\(events.map(\.action))")
            for event in events {
                try expect(event.actor == call.admin.actor.text && event.actorName == "ci", "who")
                try expect(event.address == "192.0.2.1" && event.requestID == "request-of-a-test", "from where")
                try expect(event.subject == key.id && event.outcome == AuditEvent.done && event.code == nil, "what")
            }
            try expect(events.map(\.owner) == ["me", "me", nil, nil, nil, nil], "whose: \(events.map(\.owner))")
            let described = [
                [#""name""#, #""one""#, #""me""#, key.secret.redactedValue], [#""one""#, #""two""#, #""me""#],
                [key.secret.redactedValue, rotation.secret.redactedValue, rotation.id.description],
                [key.secret.redactedValue], ["deactivated_at"], [#""two""#],
            ]
            for (event, texts) in zip(events, described) {
                for text in texts { try expect(event.changes.contains(text), "\(text) in \(event.changes)") }
            }
            try expect(!events[1].changes.contains("scopes"), "only changed members")
        },
        AdminConformance(description: "a call that changes nothing is not in the trail") { store in
            let key = StoreConformance.newKey()
            let claim = IdempotencyClaim(key: Token.generate().digest, request: Token.generate().digest)
            _ = try await store.create(key, claim: claim, by: .test)
            _ = try await store.create(StoreConformance.newKey(), claim: claim, by: .test)
            _ = try? await store.create(key, claim: nil, by: .test)
            _ = try await store.update(key.id, version: nil, by: .test) { $0 }
            _ = try await store.update(key.id, version: 9, by: .test) { $0 }
            _ = try await store.endPreviousSecrets(key.id, by: .test)
            _ = try await store.delete(key.id, version: nil, by: .test)
            _ = try await store.deactivate(.generate(), by: .test)
            _ = try await store.deactivate(key.id, by: .test)
            _ = try await store.deactivate(key.id, by: .test)
            let rotation = Rotation(id: .generate(), secret: NewSecret(Token.generate()), grace: .zero)
            _ = try await store.rotate(key.id, version: nil, rotation, claim: nil, by: .test)
            let actions = try await store.events(AuditQuery()).map(\.action)
            try expect(actions == ["key.deactivate", "key.create"], "\(actions)")
        },
        AdminConformance(description: "keys of other owners are unknown to an admin of one owner's keys") { store in
            let theirs = StoreConformance.newKey(owner: "them")
            _ = try await store.create(theirs, claim: nil, by: .test)
            let call = AdminCall.of(owner: "me")
            let rotation = Rotation(id: .generate(), secret: NewSecret(Token.generate()), grace: .zero)
            try expect(try await store.deactivate(theirs.id, by: call) == nil, "deactivate")
            try expect(try await store.endPreviousSecrets(theirs.id, by: call) == nil, "end")
            let updated = try await store.update(theirs.id, version: nil, by: call) { $0 }
            try expect(updated == .unknown, "update")
            let rotated = try await store.rotate(theirs.id, version: nil, rotation, claim: nil, by: call)
            try expect(rotated == .unknown, "rotate")
            try expect(try await store.deactivate(theirs.id, by: .of(owner: "them"))?.count == 1, "the owner's own")
            try expect(try await store.delete(theirs.id, version: nil, by: call) == .unknown, "delete")
        },
        AdminConformance(description: "an admin of one owner's keys reaches the keys of owners below it") { store in
            for (owner, isReached) in [("me", true), ("me/a/b", true), ("me2", false), ("me-a", false), ("m", false)] {
                let key = StoreConformance.newKey(owner: owner)
                _ = try await store.create(key, claim: nil, by: .test)
                let call = AdminCall.of(owner: "me")
                let rotation = Rotation(id: .generate(), secret: NewSecret(Token.generate()), grace: .seconds(60))
                let rotated = try await store.rotate(key.id, version: nil, rotation, claim: nil, by: call)
                try expect((rotated != .unknown) == isReached, "rotate \(owner)")
                try expect((try await store.endPreviousSecrets(key.id, by: call) != nil) == isReached, "end \(owner)")
                try expect((try await store.deactivate(key.id, by: call) != nil) == isReached, "deactivate \(owner)")
                try expect((try await store.deactivate(key.id, by: call) != nil) == isReached, "again \(owner)")
                let admin = try await store.createAdminKey(newKey(["verify"], owner: owner), by: .test)
                let listed = try await store.adminKeys(of: OwnerScope(owner: "me"), after: nil, limit: 100)
                try expect(listed.contains { $0.id == admin.id } == isReached, "admin key of \(owner)")
                let trail = try await store.events(AuditQuery(owner: OwnerFilter("me", includesBelow: true)))
                try expect(trail.contains { $0.subject == key.id } == isReached, "trail of \(owner)")
            }
        },
        AdminConformance(description: "events can be filtered and paged in both orders") { store in
            let (one, two) = (StoreConformance.newKey(owner: "me"), StoreConformance.newKey())
            let ci = AdminCall.of("ci")
            for key in [one, two] { _ = try await store.create(key, claim: nil, by: ci) }
            _ = try await store.deactivate(one.id, by: .test)
            let refused = (0..<3).map { number in
                NewAuditEvent(
                    actor: .anonymous, origin: AdminCall.test.origin, action: .keyCreate,
                    subject: number == 0 ? two.id : nil,
                    refusal: "key_unknown")
            }
            try await store.record(refused)
            func count(_ query: AuditQuery) async throws -> Int {
                let events = try await store.events(query)
                return events.count
            }
            try expect(try await count(AuditQuery()) == 6, "all")
            try expect(try await count(AuditQuery(actor: ci.admin.actor.text)) == 2, "actor")
            try expect(try await count(AuditQuery(actor: "anonymous")) == 3, "anonymous")
            try expect(try await count(AuditQuery(action: .keyDeactivate)) == 1, "action")
            try expect(try await count(AuditQuery(subject: two.id)) == 2, "key")
            try expect(try await count(AuditQuery(subject: two.id, refused: true)) == 1, "key and outcome")
            try expect(try await count(AuditQuery(refused: false)) == 3, "done")
            try expect(try await count(AuditQuery(owner: OwnerFilter("me"))) == 2, "owner")
            let all = try await store.events(AuditQuery())
            let between = try await store.events(AuditQuery(since: all[2].at, until: all[0].at))
            try expect(between.allSatisfy { $0.at >= all[2].at && $0.at < all[0].at }, "time")
            try expect(all.first?.code == "key_unknown" && all.first?.outcome == AuditEvent.refused, "refusal")
            for oldestFirst in [true, false] {
                var paged: [AuditEvent] = []
                while true {
                    let query = AuditQuery(
                        limit: 4, oldestFirst: oldestFirst, after: paged.last.map(AuditCursor.init(after:)))
                    let page = try await store.events(query)
                    if page.isEmpty { break }
                    paged += page
                }
                try expect(paged == (oldestFirst ? all.reversed() : all), "paged")
            }
        },
        AdminConformance(
            description: "sealed events form a valid chain and have their positions"
        ) { store in
            for _ in 0..<5 { _ = try await store.create(StoreConformance.newKey(), claim: nil, by: .test) }
            try await sealAll(store, count: 5)
            _ = try await store.create(StoreConformance.newKey(), claim: nil, by: .test)
            try await sealAll(store, count: 6)
            let result = try await store.verify(pageSize: 2)
            try expect(result.isIntact && result.sealedCount == 6 && result.pendingCount == 0, "\(result)")
            let places = try await store.events(AuditQuery(oldestFirst: true)).map(\.seal?.sequence)
            try expect(Set(places) == Set((1...6).map { Optional(Int64($0)) }), "\(places)")
            guard let head = result.head else { throw broken("head") }
            let good = try await store.verify(anchor: .init(sequence: head.sequence, hash: head.hash))
            try expect(good.isIntact, "anchor")
            for anchor in [(head.sequence, Token.generate().digest), (head.sequence + 1, head.hash)] {
                let bad = try await store.verify(anchor: .init(sequence: anchor.0, hash: anchor.1))
                try expect(bad.findings.map(\.kind) == [.anchor], "other anchor")
            }
        },
    ]

    private static let adminKeys: [AdminConformance] = [
        AdminConformance(
            description: "an admin key can be stored, found by secret, changed and deactivated, all in the trail"
        ) { store in
            let key = newKey(["keys:read", "admin"], owner: "me", expiresAt: .maximum)
            let made = try await store.createAdminKey(key, by: .test)
            try expect(made.attributes == key.attributes && made.version == 1 && made.lastUsedAt == nil, "made")
            try expect(try await store.adminKey(key.id) == made, "shown")
            try expect(try await store.adminKeysByDigest() == [key.secret.digest: made], "by digest")
            _ = try await store.adminKey(with: key.secret.digest, using: [.verify, .keysRead])
            let used = try await store.adminKey(with: key.secret.digest, using: [.verify])
            try expect(used?.id == key.id && used?.lastUsedAt != nil && used?.version == 1, "used")
            try expect(try await store.adminKey(with: Token.generate().digest, using: [.verify]) == nil, "unknown")
            try expect(try await store.find([key.secret.digest]).isEmpty, "not a data key")
            let outcome = try await update(store, key.id, version: 1) { $0.name = "other" }
            guard case .changed(let changed) = outcome else { throw broken("\(outcome)") }
            try expect(changed.name == "other" && changed.version == 2 && changed.permissions.count == 2, "changed")
            try expect(try await update(store, key.id, version: 1) { $0.name = "x" } == .outdated, "outdated")
            try expect(try await update(store, .generate()) { $0.name = "x" } == .unknown, "unknown")
            try expect(try await update(store, key.id, by: .of(owner: "them")) { $0.name = "x" } == .unknown, "others'")
            guard
                case .changed(let first) = try await store.deactivateAdminKey(key.id, keepsLast: false, by: .test),
                case .changed(let second) = try await store.deactivateAdminKey(key.id, keepsLast: false, by: .test)
            else { throw broken("deactivated") }
            try expect(first.deactivatedAt != nil && first == second, "once")
            try expect(try await store.adminKeysByDigest().values.first?.deactivatedAt != nil, "by digest, deactivated")
            let events = try await store.events(AuditQuery(oldestFirst: true, subject: key.id))
            try expect(
                events.map(\.action) == ["admin_key.create", "admin_key.update", "admin_key.deactivate"], "trail")
            try expect(events.allSatisfy { $0.owner == "me" } && events[1].changes.contains("other"), "trail")
        },
        AdminConformance(
            description: "a lost deactivation of an admin key is written back once, by the system, with the reason"
        ) { store in
            let key = newKey(["admin"])
            _ = try await store.createAdminKey(key, by: .test)
            for _ in 0..<2 { try await store.writeBack(deactivated: [key.id, .generate()]) }
            try expect(try await store.adminKey(key.id)?.deactivatedAt != nil, "deactivated")
            let events = try await store.events(AuditQuery(actor: AuditActor.system.text, subject: key.id))
            try expect(events.map(\.action) == ["admin_key.deactivate"], "once")
            try expect(events[0].changes.contains("the database had lost this"), "reason")
        },
        AdminConformance(description: "a refused attempt does not count as a use of an admin key") { store in
            let past = Timestamp.now.advanced(by: .seconds(-1))
            let (poor, expired, revoked) = (newKey(["verify"]), newKey(["admin"], expiresAt: past), newKey(["admin"]))
            for key in [poor, expired, revoked] { _ = try await store.createAdminKey(key, by: .test) }
            _ = try await store.deactivateAdminKey(revoked.id, keepsLast: false, by: .test)
            for key in [poor, expired, revoked] {
                let found = try await store.adminKey(with: key.secret.digest, using: [.admin, .keysRead])
                try expect(found?.id == key.id, "found")
                try expect(try await store.adminKey(key.id)?.lastUsedAt == nil, "no use")
            }
        },
        AdminConformance(description: "admin keys are listed newest first, in pages, by owner") { store in
            for number in 0..<7 {
                _ = try await store.createAdminKey(
                    newKey(["verify"], name: "n\(number)", owner: number % 2 == 0 ? "me" : nil), by: .test)
            }
            let all = try await store.adminKeys(of: .all, after: nil, limit: 100)
            try expect(all.map(\.name) == (0..<7).reversed().map { "n\($0)" }, "\(all.map(\.name))")
            let first = try await store.adminKeys(of: .all, after: nil, limit: 3)
            let rest = try await store.adminKeys(of: .all, after: ListCursor(after: first[2]), limit: 100)
            try expect(first + rest == all, "paged")
            try expect(
                try await store.adminKeys(of: OwnerScope(owner: "me"), after: nil, limit: 100).count == 4, "owner")
        },
        AdminConformance(
            description: "the last key that can administer admin keys is protected on request"
        ) { store in
            let only = newKey(["admin"])
            for key in [only, newKey(["keys:write"]), newKey(["admin"], owner: "me")] {
                _ = try await store.createAdminKey(key, by: .test)
            }
            let refusal = AdminKeyOutcome.refused(.conflict(.lastAdminCredential))
            try expect(try await store.deactivateAdminKey(only.id, keepsLast: true, by: .test) == refusal, "deactivate")
            try expect(try await update(store, only.id) { $0.permissions = [.verify] } == refusal, "permission")
            try expect(try await update(store, only.id) { $0.expiresAt = .maximum } == refusal, "expiry")
            try expect(try await store.adminKey(only.id)?.version == 1, "unchanged")
            guard case .changed = try await update(store, only.id, { $0.name = "n" }) else { throw broken("name") }
            let passing = newKey(["admin"], expiresAt: .maximum)
            _ = try await store.createAdminKey(passing, by: .test)
            try expect(try await store.deactivateAdminKey(only.id, keepsLast: true, by: .test) == refusal, "for good")
            guard case .changed = try await store.deactivateAdminKey(passing.id, keepsLast: true, by: .test) else {
                throw broken("a key that is not the last was protected")
            }
            _ = try await store.createAdminKey(newKey(["admin"]), by: .test)
            guard case .changed = try await store.deactivateAdminKey(only.id, keepsLast: true, by: .test) else {
                throw broken("replaced")
            }
        },
        AdminConformance(description: "concurrent changes do not remove the last two keys together") { store in
            let keys = (0..<6).map { _ in newKey(["admin"]) }
            for key in keys { _ = try await store.createAdminKey(key, by: .test) }
            let outcomes = try await withThrowingTaskGroup(of: AdminKeyOutcome.self) { group in
                for key in keys {
                    group.addTask { try await store.deactivateAdminKey(key.id, keepsLast: true, by: .test) }
                }
                return try await group.reduce(into: [AdminKeyOutcome]()) { $0.append($1) }
            }
            let refused = outcomes.filter { $0 == .refused(.conflict(.lastAdminCredential)) }
            try expect(refused.count == 1, "\(refused.count) refused")
            try expect(
                try await store.adminKeysByDigest().values.count { $0.deactivatedAt == nil } == 1, "one must be left")
        },
    ]

    /// Returns an admin key with a fresh secret.
    public static func newKey(
        _ permissions: [String], name: String = "admin", owner: String? = nil, expiresAt: Timestamp? = nil
    ) -> NewAdminKey {
        NewAdminKey(
            id: .generate(),
            attributes: AdminKeyAttributes(
                name: name, permissions: Set(permissions.compactMap(AdminPermission.init(rawValue:))), owner: owner,
                expiresAt: expiresAt),
            secret: NewSecret(Token.generate(prefix: AdminKey.prefix)))
    }

    /// Seals until this number of events is sealed: other transactions of the server may delay it.
    public static func sealAll(_ store: any AuditTrail, count: Int) async throws {
        let done = try await eventually {
            _ = try await store.seal()
            return try await store.sealed(after: 0, limit: 10_000).count == count
        }
        try expect(done, "sealed")
    }

    private static func update(
        _ store: any AdminStore, _ id: KeyID, version: Int64? = nil, by call: AdminCall = .test,
        _ change: @escaping @Sendable (inout AdminKeyAttributes) -> Void
    ) async throws -> AdminKeyOutcome {
        try await store.updateAdminKey(id, version: version, keepsLast: true, by: call) { current in
            var wanted = current
            change(&wanted)
            return wanted
        }
    }

    private static func expect(_ condition: Bool, _ what: String) throws {
        guard condition else { throw broken(what) }
    }

    private static func broken(_ what: String) -> StoreConformance.Broken {
        StoreConformance.Broken(description: what)
    }
}
