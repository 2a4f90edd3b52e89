public import AuthKeys
public import KeyAdministration

/// The requirements of a `Store`, checked on the fake and on PostgreSQL. A violation is thrown.
public struct StoreConformance: Sendable, CustomStringConvertible {
    public struct Broken: Error, CustomStringConvertible {
        public let description: String
    }

    public let description: String
    public let check: @Sendable (any Store) async throws -> Void

    public static let all: [StoreConformance] = keys + imports + holders

    private static let keys: [StoreConformance] = [
        StoreConformance(description: "a created key can be listed, read and found") { store in
            let key = newKey(name: "first", owner: "team", scopes: ["a:read", "b:write"])
            guard case .created(let created) = try await store.create(key, claim: nil) else { throw broken("created") }
            try expect(created.id == key.id && created.name == "first" && created.owner == "team", "fields")
            try expect(created.scopes == ["a:read", "b:write"] && created.version == 1 && created.enabled, "fields")
            try expect(created.createdAt == created.updatedAt && created.deactivatedAt == nil, "times")
            try expect(try await store.key(key.id) == created, "show")
            try expect(try await store.list(KeyQuery()) == [created], "list")
            try expect(try await store.find([key.digest]) == [key.entry], "find")
        },
        StoreConformance(description: "an unknown key cannot be read, found or changed") { store in
            try expect(try await store.key(.generate()) == nil, "show")
            try expect(try await store.find([Token.generate().digest]).isEmpty, "find")
            try expect(try await store.find([]).isEmpty, "find nothing")
            try expect(try await store.deactivate(.generate()) == nil, "deactivate")
            try expect(try await store.list(KeyQuery()).isEmpty, "list")
        },
        StoreConformance(description: "a deactivation is permanent, repeatable, and keeps its first time") { store in
            let key = newKey()
            _ = try await store.create(key, claim: nil)
            let first = try await store.deactivate(key.id)
            let shown = try await store.key(key.id)
            try expect(first?.count == 1 && first?.first?.state == .deactivated && first?.first?.version == 2, "entry")
            try expect(shown?.deactivatedAt != nil && shown?.version == 2, "shown")
            try expect(try await store.deactivate(key.id) == first, "again")
            try expect(try await store.key(key.id) == shown, "unchanged")
            try expect(try await store.find([key.digest]) == first, "find")
        },
        StoreConformance(description: "a repeated digest or id is a conflict and changes nothing") { store in
            let key = newKey(name: "one")
            _ = try await store.create(key, claim: nil)
            for double in [newKey(name: "two", digest: key.digest), newKey(name: "two", id: key.id)] {
                do {
                    _ = try await store.create(double, claim: nil)
                    throw broken("no conflict")
                } catch let error as StoreError {
                    try expect(error.kind == .conflict, "kind \(error)")
                }
            }
            try expect(try await store.list(KeyQuery()).map(\.name) == ["one"], "unchanged")
        },
        StoreConformance(description: "a conflict among concurrent creations fails only that creation") { store in
            let existing = newKey(name: "existing")
            _ = try await store.create(existing, claim: nil)
            let outcomes = await withTaskGroup(of: Bool.self) { group in
                for number in 0..<50 {
                    let key = newKey(name: "n\(number)", digest: number % 10 == 0 ? existing.digest : nil)
                    group.addTask { (try? await store.create(key, claim: nil)) != nil }
                }
                return await group.reduce(into: [Bool]()) { $0.append($1) }
            }
            try expect(outcomes.filter { $0 }.count == 45, "\(outcomes.filter { $0 }.count) of 45 created")
            try expect(try await store.list(KeyQuery(limit: 100)).count == 46, "listed")
        },
        StoreConformance(description: "concurrent creations with one idempotency claim create one key") { store in
            let claim = IdempotencyClaim(key: Token.generate().digest, request: Token.generate().digest)
            let outcomes = try await withThrowingTaskGroup(of: CreateOutcome.self) { group in
                for _ in 0..<8 { group.addTask { try await store.create(newKey(), claim: claim) } }
                return try await group.reduce(into: [CreateOutcome]()) { $0.append($1) }
            }
            let keys = try await store.list(KeyQuery())
            try expect(keys.count == 1, "\(keys.count) keys")
            for outcome in outcomes {
                switch outcome {
                case .created(let key): try expect(key.id == keys[0].id, "created")
                case .replayed(let id): try expect(id == keys[0].id, "replayed")
                case .claimedOtherwise: throw broken("claimed otherwise")
                }
            }
            let other = IdempotencyClaim(key: claim.key, request: Token.generate().digest)
            try expect(try await store.create(newKey(), claim: other) == .claimedOtherwise, "another request")
        },
        StoreConformance(description: "pages in every order have all keys once") { store in
            let now = Timestamp.now
            for number in 0..<25 {
                let end = number % 3 == 0 ? nil : now.advanced(by: .seconds(1_000 + number % 4))
                let key = newKey(name: "k\(number % 5)", expiresAt: end)
                _ = try await store.create(key, claim: nil)
                guard number % 4 != 0 else { continue }
                let used = now.advanced(by: .seconds(1_000 * (number % 7)))
                try await store.record([
                    UsageCount(digest: key.digest, keyID: key.id, day: 20_000, requests: 1, lastUsedAt: used)
                ])
            }
            for order in KeyOrder.all {
                let keys = try await store.list(KeyQuery(limit: 1_000, order: order))
                try expect(keys.count == 25, "\(order): all")
                try expect(isOrdered(order.isReversed ? keys.reversed() : keys, by: order.field), "\(order)")
                let opposite = KeyOrder(order.field, descending: !order.isDescending)
                try expect(
                    try await store.list(KeyQuery(limit: 1_000, order: opposite)) == keys.reversed(), "\(opposite)")
                for size in [1, 4] {
                    try expect(try await pages(store, KeyQuery(limit: size, order: order)) == keys, "\(order): paged")
                }
                let active = KeyQuery(limit: 4, order: order, status: .active, unusedFor: .seconds(-3_500), text: "k")
                let some = try await pages(store, active)
                let wanted = keys.filter { $0.usage.lastUsedAt.map { $0 < now.advanced(by: .seconds(3_500)) } ?? true }
                try expect(some == wanted && some.count < 25, "\(order): filtered")
            }
        },
        StoreConformance(description: "keys are filtered by status, owner and text") { store in
            let past = Timestamp.now.advanced(by: .milliseconds(50))
            let active = newKey(name: "Alpha", owner: "x")
            let expiring = newKey(name: "beta 50%", expiresAt: past)
            let revoked = newKey(name: "gamma", owner: "y")
            for key in [active, expiring, revoked] { _ = try await store.create(key, claim: nil) }
            _ = try await store.deactivate(revoked.id)
            try await Task.sleep(for: .milliseconds(80))
            func names(_ query: KeyQuery) async throws -> [String] { try await store.list(query).map(\.name).sorted() }
            try expect(try await names(KeyQuery(status: .active)) == ["Alpha"], "active")
            try expect(try await names(KeyQuery(status: .expired)) == ["beta 50%"], "expired")
            try expect(try await names(KeyQuery(status: .deactivated)) == ["gamma"], "deactivated")
            try expect(try await names(KeyQuery(status: .disabled)).isEmpty, "disabled")
            let kept = try await names(KeyQuery(leavesOutDeactivated: true))
            try expect(kept == ["Alpha", "beta 50%"], "all but deactivated ones")
            try expect(try await names(KeyQuery(owner: OwnerFilter("y"))) == ["gamma"], "owner")
            try expect(try await names(KeyQuery(text: "ALPH")) == ["Alpha"], "text")
            try expect(try await names(KeyQuery(text: "50%")) == ["beta 50%"], "percent")
            try expect(try await names(KeyQuery(text: "b%0")).isEmpty, "percent is not a wildcard")
            try expect(try await names(KeyQuery(text: "_eta")).isEmpty, "underscore is not a wildcard")
        },
        StoreConformance(description: "a change between canonically equivalent texts is a change") { store in
            let key = newKey(name: "caf\u{e9}", owner: "caf\u{e9}")
            _ = try await store.create(key, claim: nil)
            let outcome = try await store.update(key.id, version: nil, by: .test) { current in
                var wanted = current
                wanted.owner = "cafe\u{301}"
                wanted.labels = ["caf\u{e9}": "e\u{301}"]
                return wanted
            }
            guard case .updated(let changed) = outcome else { return try expect(false, "\(outcome)") }
            try expect(changed.key.version == 2, "version \(changed.key.version)")
            let stored = try await store.key(key.id)
            try expect(stored?.owner?.utf8.elementsEqual("cafe\u{301}".utf8) == true, "owner")
            let changes = try await trail(of: store).filter { $0.action == "key.update" }.map(\.changes)
            try expect(changes.count == 1 && changes[0].contains("owner"), "trail")
        },
        StoreConformance(description: "a filter of owners matches one, or one and all below it") { store in
            let owners = ["a", "a/b", "a/b/c", "a/bc", "a-b", "a0", "A", "a/\u{e9}", "a/e\u{301}", "\u{10FFFF}/x"]
            for owner in owners { _ = try await store.create(newKey(name: owner, owner: owner), claim: nil) }
            _ = try await store.create(newKey(name: "none"), claim: nil)
            for filter in owners.flatMap({ [OwnerFilter($0), OwnerFilter($0, includesBelow: true)] }) {
                let wanted = owners.filter { filter.matches($0) }.map { Array($0.utf8) }
                for order in [KeyOrder.newestFirst, KeyOrder(.name)] {
                    let found = try await store.list(KeyQuery(order: order, owner: filter)).map { Array($0.name.utf8) }
                    try expect(Set(found) == Set(wanted) && found.count == wanted.count, "\(filter.text): \(found)")
                }
                try expect(try await store.count(KeyQuery(owner: filter)).count == wanted.count, "count")
            }
        },
        StoreConformance(description: "a text of one or two letters matches at word beginnings") { store in
            let named = ["ci", "The CI of all", "team-ci", "team/cid", "a_ci.b", "excise", "c.i", "移动支付", "çi"]
            for name in named { _ = try await store.create(newKey(name: name), claim: nil) }
            let described = newKey(name: "described", description: "for Ci, and for precision")
            let other = newKey(name: "other", description: "(ci) or precision")
            for key in [described, other] { _ = try await store.create(key, claim: nil) }
            func names(_ text: String) async throws -> Set<String> {
                Set(try await store.list(KeyQuery(text: text)).map(\.name))
            }
            let ci: Set = ["ci", "The CI of all", "team-ci", "team/cid", "a_ci.b", "described"]
            try expect(try await names("ci") == ci, "two letters")
            try expect(try await names("cI") == ci, "in either case")
            try expect(try await names("c") == ci.union(["c.i"]), "one letter")
            try expect(try await names("c.i") == ["c.i"], "three, but not in a row")
            try expect(try await names("cis") == ["excise", "described", "other"], "three letters match anywhere")
            try expect(try await names("-ci") == ["team-ci"], "so does a text that does not begin with a letter")
            try expect(try await names("_c") == ["a_ci.b"], "underscore is not a wildcard")
            try expect(try await names("支付") == ["移动支付"], "so does a text outside ASCII")
            try expect(try await store.count(KeyQuery(text: "ci")) == KeyCount(6, isExact: true), "counted")
        },
        folding,
        StoreConformance(description: "a read since a watermark has all later changes") { store in
            let old = newKey(name: "old")
            _ = try await store.create(old, claim: nil)
            let (all, start) = try await collect(store, since: nil)
            try expect(all == [old.entry], "full load")
            let (none, same) = try await collect(store, since: start.watermark)
            try expect(
                none.allSatisfy { $0 == old.entry } && isUnbroken(start.watermark, same), "nothing new"
            )
            let new = newKey(name: "new")
            _ = try await store.create(new, claim: nil)
            let revoked = try await store.deactivate(old.id)
            let (changed, next) = try await collect(store, since: same.watermark)
            try expect(
                Set(changed.map(\.keyID)) == [old.id, new.id] && isUnbroken(same.watermark, next),
                "changed")
            try expect(changed.filter { $0.keyID == old.id } == revoked, "revoked")
        },
        StoreConformance(description: "a range of digests has exactly the entries of its secrets") { store in
            let keys = (0..<3).map { newKey(name: "n\($0)") }
            for key in keys { _ = try await store.create(key, claim: nil) }
            let watermark = try await collect(store, since: nil).reading.watermark
            let found = Collected()
            for number in Set(keys.map { Int($0.digest.bytes[0]) } + [0, 255]) {
                let range = DigestRange(number: number, bits: 8)
                let before = found.entries.count
                let batch = try await store.entries(in: range, since: watermark) { found.append($0) }
                try expect(found.entries[before...].allSatisfy { $0.digest.bytes[0] == number }, "of the range")
                try expect(isUnbroken(watermark, batch.reading), "of the same database")
            }
            try expect(Set(found.entries.map(\.digest)) == Set(keys.map(\.digest)), "all")
            try expect(found.entries.count == keys.count, "once each")
        },
        StoreConformance(description: "a revocation is written back once, by the system, with the reason") { store in
            let (key, rotated) = (newKey(name: "revoked"), newKey(name: "rotated"))
            for key in [key, rotated] { _ = try await store.create(key, claim: nil) }
            let end = Timestamp(microseconds: Timestamp.now.microseconds - 60_000_000)
            let ends = [
                DisputedEnd(digest: key.digest, keyID: key.id, kind: .key),
                DisputedEnd(digest: rotated.digest, keyID: rotated.id, kind: .secret(at: end)),
                DisputedEnd(digest: Token.generate().digest, keyID: .generate(), kind: .key),
            ]
            for _ in 0..<2 { try await store.writeBack(ends) }
            let entries = try await collect(store, since: nil).entries
            try expect(entries.first { $0.keyID == key.id }?.state == .deactivated, "deactivated")
            let secret = entries.first { $0.keyID == rotated.id }
            try expect(secret?.endsSecret == true && secret?.expiresAt.map { $0 <= end } == true, "ended")
            let events = try await trail(of: store).filter { $0.actor == AuditActor.system.text }
            try expect(
                Set(events.map(\.action)) == ["key.deactivate", "key.end_previous_secret"] && events.count == 2, "trail"
            )
            try expect(events.allSatisfy { $0.changes.contains("the database had lost this") }, "reason")
        },
        StoreConformance(description: "an order reaches each reader once and is in the trail") { store in
            let start = try await collect(store, since: nil).reading
            try expect(start.order == nil, "none")
            try await store.order(.acceptDatabase, by: .test)
            let ordered = try await collect(store, since: start.watermark).reading
            try expect(ordered.order == .acceptDatabase, "ordered")
            try expect(try await collect(store, since: ordered.watermark).reading.order == nil, "once")
            try await store.order(.resync, by: .test)
            try expect(try await collect(store, since: ordered.watermark).reading.order == .resync, "resync")
            let events = try await trail(of: store).filter { $0.action == AuditAction.instancesResync.rawValue }
            try expect(events.count == 2, "trail")
        },
        StoreConformance(
            description: "an update requires the version seen, and one without a difference changes nothing"
        ) { store in
            let key = newKey(name: "before", labels: ["env": "test"])
            _ = try await store.create(key, claim: nil)
            let stale = try await store.update(key.id, version: 7) { $0 }
            try expect(stale == .outdated, "outdated")
            let outcome = try await store.update(key.id, version: 1) { current throws(AuthKeyError) in
                var wanted = current
                wanted.name = "after"
                wanted.owner = "me"
                wanted.enabled = false
                wanted.labels["tier"] = "é"
                wanted.metadata = [
                    "a": .array([.integer(1), .null, .bool(true), .number(0.5)]), "b": .string("\"x\u{1F511}"),
                ]
                return wanted
            }
            guard case .updated(let changed) = outcome else { throw broken("\(outcome)") }
            try expect(changed.key.name == "after" && changed.key.version == 2 && !changed.key.enabled, "fields")
            try expect(changed.key.labels == ["env": "test", "tier": "é"] && changed.key.metadata.count == 2, "json")
            try expect(changed.entries.map(\.state) == [.disabled] && changed.entries[0].version == 2, "entry")
            try expect(try await store.key(key.id) == changed.key, "shown")
            try expect(try await store.find([key.digest]) == changed.entries, "found")
            let nothing = try await store.update(key.id, version: nil) { $0 }
            try expect(nothing == outcome, "nothing changed")
            let refused = try await store.update(key.id, version: nil) { _ throws(AuthKeyError) in
                throw .invalid(param: "name", message: "no")
            }
            try expect(refused == .refused(.invalid(param: "name", message: "no")), "refused")
            try expect(try await store.key(key.id) == changed.key, "unchanged")
            let unknown = try await store.update(.generate(), version: nil) { $0 }
            try expect(unknown == .unknown, "unknown")
        },
        StoreConformance(description: "concurrent updates are applied one after the other") { store in
            let key = newKey()
            _ = try await store.create(key, claim: nil)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<16 {
                    group.addTask {
                        _ = try await store.update(key.id, version: nil) { current throws(AuthKeyError) in
                            var wanted = current
                            wanted.labels["n\(number)"] = "1"
                            return wanted
                        }
                    }
                }
                try await group.waitForAll()
            }
            let shown = try await store.key(key.id)
            try expect(shown?.labels.count == 16 && shown?.version == 17, "all of them: \(shown?.labels.count ?? 0)")
        },
        StoreConformance(description: "only a deactivated key is deleted, and its secret stays refused") { store in
            let key = newKey()
            _ = try await store.create(key, claim: nil)
            try expect(try await store.delete(key.id, version: nil) == .notDeactivated, "active")
            _ = try await store.deactivate(key.id)
            try expect(try await store.delete(key.id, version: 1) == .outdated, "outdated")
            let watermark = try await collect(store, since: nil).reading.watermark
            guard case .deleted(let entries) = try await store.delete(key.id, version: 2) else {
                throw broken("deleted")
            }
            try expect(entries.map(\.state) == [.deleted] && entries[0].digest == key.digest, "entries")
            try expect(entries[0].version == 3, "version")
            try expect(try await store.delete(key.id, version: nil) == .unknown, "again")
            try expect(try await store.key(key.id) == nil, "gone")
            try expect(try await store.find([key.digest]).isEmpty, "not found")
            let (changes, _) = try await collect(store, since: watermark)
            try expect(changes.filter { $0.keyID == key.id } == entries, "in the feed")
        },
        StoreConformance(
            description: "after a rotation two secrets are valid, the old one for the grace period"
        ) { store in
            let key = newKey()
            _ = try await store.create(key, claim: nil)
            let second = rotation(grace: .seconds(3_600))
            guard case .rotated(let changed) = try await store.rotate(key.id, version: 1, second, claim: nil) else {
                throw broken("rotated")
            }
            try expect(changed.key.lastFour == second.secret.lastFour && changed.key.version > 1, "newest")
            try expect(changed.key.previous?.redactedValue.hasSuffix(key.lastFour) == true, "previous")
            let now = Timestamp.now
            func live(_ entries: [KeyEntry]) -> Set<SecretDigest> {
                Set(entries.filter { $0.expiresAt.map { $0 > now } ?? true }.map(\.digest))
            }
            try expect(live(changed.entries) == [key.digest, second.secret.digest], "two are valid")
            let third = rotation(grace: .seconds(60))
            guard case .rotated(let again) = try await store.rotate(key.id, version: nil, third, claim: nil) else {
                throw broken("rotated again")
            }
            let later = Timestamp.now
            let good = again.entries.filter { $0.expiresAt.map { $0 > later } ?? true }.map(\.digest)
            try expect(Set(good) == [second.secret.digest, third.secret.digest], "never a third")
            let ended = try await store.endPreviousSecrets(key.id)
            let end = Timestamp.now
            let left = ended?.filter { $0.expiresAt.map { $0 > end } ?? true }.map(\.digest)
            try expect(left == [third.secret.digest], "cut short")
            try expect(try await store.key(key.id)?.previous == nil, "no previous")
            try expect(try await store.endPreviousSecrets(.generate()) == nil, "unknown")
        },
        StoreConformance(
            description: "a rotation without grace revokes the old secret, and a revoked key is not rotated"
        ) { store in
            let key = newKey()
            _ = try await store.create(key, claim: nil)
            let second = rotation(grace: .zero)
            guard case .rotated(let changed) = try await store.rotate(key.id, version: nil, second, claim: nil) else {
                throw broken("rotated")
            }
            try await Task.sleep(for: .milliseconds(5))
            let now = Timestamp.now
            let good = changed.entries.filter { $0.expiresAt.map { $0 > now } ?? true }.map(\.digest)
            try expect(good == [second.secret.digest], "one is valid")
            try expect(try await store.rotate(key.id, version: 1, second, claim: nil) == .outdated, "outdated")
            let again = IdempotencyClaim(key: Token.generate().digest, request: Token.generate().digest)
            try expect(
                try await store.rotate(key.id, version: 1, rotation(grace: .zero), claim: again) == .outdated,
                "outdated, with a claim")
            guard
                case .rotated = try await store.rotate(
                    key.id, version: changed.key.version, rotation(grace: .zero), claim: again)
            else { throw broken("a request refused as outdated can be repeated") }
            _ = try await store.deactivate(key.id)
            let claim = IdempotencyClaim(key: Token.generate().digest, request: Token.generate().digest)
            try expect(
                try await store.rotate(key.id, version: nil, rotation(grace: .zero), claim: claim) == .ended, "ended")
            try expect(
                try await store.rotate(.generate(), version: nil, rotation(grace: .zero), claim: nil) == .unknown,
                "unknown")
        },
        StoreConformance(description: "concurrent rotations with one idempotency claim rotate once") { store in
            let key = newKey()
            _ = try await store.create(key, claim: nil)
            let claim = IdempotencyClaim(key: Token.generate().digest, request: Token.generate().digest)
            let outcomes = try await withThrowingTaskGroup(of: RotateOutcome.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        try await store.rotate(key.id, version: nil, rotation(grace: .seconds(60)), claim: claim)
                    }
                }
                return try await group.reduce(into: [RotateOutcome]()) { $0.append($1) }
            }
            let rotated = outcomes.filter { if case .rotated = $0 { true } else { false } }
            let replays = outcomes.compactMap { if case .replayed(let id) = $0 { id } else { nil } }
            try expect(rotated.count == 1 && replays.count == 7 && Set(replays).count == 1, "\(outcomes.count)")
            let other = IdempotencyClaim(key: claim.key, request: Token.generate().digest)
            let reused = try await store.rotate(key.id, version: nil, rotation(grace: .zero), claim: other)
            try expect(reused == .claimedOtherwise, "another request")
        },
        StoreConformance(description: "a policy is stored, changed, and part of every entry") { store in
            var attributes = KeyAttributes(
                name: "limited", expiresAt: Timestamp(microseconds: 4_000_000_000_000_000),
                notBefore: Timestamp(microseconds: 1_000_000), allowedMethods: ["GET", "POST"],
                allowedPaths: ["/a/*", "/b c/**"], allowedCIDRs: ["10.0.0.0/8", "2001:db8::/32"],
                limits: try limits, plan: "gold", credits: credits, reportOnly: ["expires_at", "scopes", "limits.day"])
            let secret = newKey().secret
            let key = NewKey(id: .generate(), attributes: attributes, secret: secret)
            _ = try await store.create(key, claim: nil)
            try expect(try await store.key(key.id)?.attributes == attributes, "kept")
            try expect(!key.entry.policy.isEmpty && key.entry.expiresAt == nil, "the expiry only reports")
            try expect(try await store.find([key.digest]) == [key.entry], "found")
            try expect(try await collect(store, since: nil).entries == [key.entry], "fed")
            attributes.allowedPaths = []
            attributes.reportOnly = []
            attributes.notBefore = nil
            let wanted = attributes
            guard case .updated(let changed) = try await store.update(key.id, version: 1, { _ in wanted }) else {
                throw broken("updated")
            }
            try expect(changed.key.attributes == wanted, "changed")
            let entry = wanted.entry(of: key.digest, id: key.id, version: 2)
            try expect(changed.entries == [entry] && entry.expiresAt == wanted.expiresAt, "the entry")
            try expect(try await store.find([key.digest]) == [entry], "found again")
        },
        StoreConformance(description: "credits are changed, removed and added again") { store in
            let key = newKey()
            _ = try await store.create(key, claim: nil)
            for (version, credits) in [credits, KeyCredits(remaining: 7), nil, KeyCredits(remaining: 3)].enumerated() {
                let outcome = try await store.update(key.id, version: Int64(version + 1)) { attributes in
                    var attributes = attributes
                    attributes.credits = credits
                    return attributes
                }
                guard case .updated(let changed) = outcome else { throw broken("updated") }
                try expect(changed.key.credits == credits, "changed")
                try expect(try await store.list(KeyQuery()).first?.credits == credits, "in a list")
                try expect(changed.entries.first?.policy == KeyPolicy(hasCredits: credits != nil), "the entry")
            }
        },
        StoreConformance(description: "limits of plans and owners are created, replaced and removed") { store in
            let content = SharedLimits.Content(description: "d", limits: try limits)
            let holders = [LimitHolder.plan("gold"), .owner("acme/a")]
            for holder in holders {
                try expect(try await store.limits(of: holder) == nil, "none before")
                try expect(
                    try await store.setLimits(of: holder, version: 1, to: content, by: .test) == .outdated,
                    "no version yet")
                guard
                    case .created(let made) = try await store.setLimits(
                        of: holder, version: nil, to: content, by: .test)
                else { throw broken("created") }
                try expect(made.content == content && made.version == 1 && made.holder == holder, "made")
                try expect(
                    try await store.setLimits(of: holder, version: 1, to: content, by: .test) == .updated(made), "equal"
                )
                let less = SharedLimits.Content(limits: [])
                guard
                    case .updated(let changed) = try await store.setLimits(of: holder, version: 1, to: less, by: .test)
                else { throw broken("updated") }
                try expect(changed.content == less && changed.version == 2, "changed")
                try expect(try await store.limits(of: holder) == changed, "read")
                try expect(
                    try await store.setLimits(of: holder, version: 1, to: content, by: .test) == .outdated, "old")
                try expect(try await store.removeLimits(of: holder, version: 1, by: .test) == .outdated, "old removal")
            }
            try expect(try await store.plans().map(\.holder) == [.plan("gold")], "plans")
            let actions = try await trail(of: store).map(\.action)
            try expect(
                actions.count { $0 == "plan.set" } == 2 && actions.count { $0 == "owner_limits.set" } == 2, "\(actions)"
            )
            for holder in holders {
                try expect(try await store.removeLimits(of: holder, version: 2, by: .test) == .removed, "removed")
                try expect(try await store.removeLimits(of: holder, version: nil, by: .test) == .unknown, "gone")
            }
            let last = try await trail(of: store).map(\.action)
            try expect(last.contains("plan.delete") && last.contains("owner_limits.delete"), "\(last)")
        },
        StoreConformance(description: "a plan that an active key names is not removed") { store in
            let plan = LimitHolder.plan("gold")
            _ = try await store.setLimits(
                of: plan, version: nil, to: SharedLimits.Content(limits: try limits), by: .test)
            let key = NewKey(
                id: .generate(), attributes: KeyAttributes(name: "n", plan: "gold"), secret: newKey().secret)
            _ = try await store.create(key, claim: nil)
            try expect(try await store.removeLimits(of: plan, version: nil, by: .test) == .inUse, "in use")
            _ = try await store.deactivate(key.id)
            try expect(try await store.removeLimits(of: plan, version: nil, by: .test) == .removed, "removed")
        },
        StoreConformance(description: "credits are added and set, once for each claim") { store in
            let key = NewKey(
                id: .generate(), attributes: KeyAttributes(name: "n", credits: KeyCredits(remaining: 5)),
                secret: newKey().secret)
            let bare = newKey()
            for key in [key, bare] { _ = try await store.create(key, claim: nil) }
            func change(_ change: CreditChange, claim: IdempotencyClaim? = nil) async throws -> CreditOutcome {
                try await store.changeCredits(of: key.id, change, claim: claim, by: .test)
            }
            let claim = IdempotencyClaim(key: Token.generate().digest, request: Token.generate().digest)
            guard case .changed(let changed) = try await change(.add(3), claim: claim) else { throw broken("added") }
            try expect(changed.key.credits?.remaining == 8 && changed.key.version == 2, "added")
            try expect(changed.entries.map(\.version) == [2], "the entry is stamped")
            try expect(try await change(.add(3), claim: claim) == .replayed(changed.key), "replayed")
            let other = IdempotencyClaim(key: claim.key, request: Token.generate().digest)
            try expect(try await change(.add(4), claim: other) == .claimedOtherwise, "another request")
            guard case .changed(let set) = try await change(.set(1)) else { throw broken("set") }
            try expect(set.key.credits?.remaining == 1, "set")
            _ = try await change(.set(9))
            guard case .changed(let less) = try await change(.subtract(4)) else { throw broken("subtracted") }
            try expect(less.key.credits?.remaining == 5, "subtracted")
            guard case .changed(let none) = try await change(.subtract(6)) else { throw broken("subtracted more") }
            try expect(none.key.credits?.remaining == 0, "never below zero")
            try expect(
                try await store.changeCredits(of: bare.id, .add(1), claim: nil, by: .test) == .without,
                "without credits")
            try expect(
                try await store.changeCredits(of: .generate(), .add(1), claim: nil, by: .test) == .unknown, "unknown")
            let actions = try await trail(of: store).map(\.action)
            try expect(actions.count { $0 == "key.change_credits" } == 5, "\(actions)")
        },
        StoreConformance(description: "usage is summed by key, secret and day") { store in
            let (one, two) = (newKey(name: "one"), newKey(name: "two"))
            for key in [one, two] { _ = try await store.create(key, claim: nil) }
            let second = rotation(grace: .seconds(60))
            _ = try await store.rotate(one.id, version: nil, second, claim: nil)
            let before = try await store.key(one.id)?.version
            let now = Timestamp.now
            let today = Int32(now.microseconds / 86_400_000_000)
            func count(
                _ key: KeyID, _ digest: SecretDigest, _ requests: Int64, at seconds: Int = 0, day: Int32 = 0,
                from address: String? = nil, by agent: String? = nil
            ) -> UsageCount {
                UsageCount(
                    digest: digest, keyID: key, day: today - day, requests: requests,
                    lastUsedAt: now.advanced(by: .seconds(seconds)), address: address.flatMap { IPAddress($0) },
                    agent: agent)
            }
            let strangers = count(.generate(), Token.generate().digest, 5)
            try await store.record([
                count(one.id, one.digest, 3, at: -90_000, day: 1, from: "192.0.2.1", by: "old"),
                count(one.id, one.digest, 4, at: -20), strangers,
                count(one.id, second.secret.digest, 1, at: -10, from: "2001:db8::1", by: "curl"),
            ])
            try await store.record([count(one.id, one.digest, 2, at: -30, from: "192.0.2.9", by: "late")])
            let shown = try await store.key(one.id)
            try expect(shown?.usage.requests == 10 && shown?.usage.lastUsedAt == now.advanced(by: .seconds(-10)), "key")
            try expect(shown?.usage.lastAddress == "2001:db8::1" && shown?.usage.lastAgent == "curl", "from")
            try expect(shown?.secretLastUsedAt == now.advanced(by: .seconds(-10)), "secret")
            try expect(shown?.previous?.lastUsedAt == now.advanced(by: .seconds(-20)), "the previous secret")
            try expect(shown?.version == before, "usage does not change the version")
            let report = try await store.usage(one.id, days: 30)
            try expect(
                report?.days.map(\.number) == [today, today - 1] && report?.days.map(\.requests) == [7, 3], "days")
            try expect(report?.secrets.map(\.requests) == [1, 9], "secrets")
            try expect(report?.secrets.last?.days.map(\.requests) == [6, 3], "days of a secret")
            try expect(try await store.usage(one.id, days: 1)?.days.map(\.requests) == [7], "fewer days")
            try expect(try await store.key(two.id)?.usage == KeyUsage(), "another")
            try expect(try await store.usage(two.id, days: 30)?.days == [], "never used")
            try expect(try await store.usage(.generate(), days: 30) == nil, "unknown")
        },
        StoreConformance(description: "keys are filtered by label") { store in
            _ = try await store.create(newKey(name: "a", labels: ["env": "prod", "team": "x"]), claim: nil)
            _ = try await store.create(newKey(name: "b", labels: ["env": "test"]), claim: nil)
            _ = try await store.create(newKey(name: "c"), claim: nil)
            func names(_ name: String, _ value: String?) async throws -> [String] {
                try await store.list(KeyQuery(label: .init(name: name, value: value))).map(\.name).sorted()
            }
            try expect(try await names("env", "prod") == ["a"], "value")
            try expect(try await names("env", nil) == ["a", "b"], "any value")
            try expect(try await names("nope", nil).isEmpty, "none")
        },
        StoreConformance(description: "keys are filtered by scope, secret, expiry and disuse") { store in
            let soon = Timestamp.now.advanced(by: .seconds(3_600))
            let keys = [
                newKey(name: "a", scopes: ["x:read", "x:write"], expiresAt: soon, prefix: "one"),
                newKey(name: "b", scopes: ["x:*"], expiresAt: soon.advanced(by: .seconds(86_400)), prefix: "one"),
                newKey(name: "c", scopes: ["x:read"], expiresAt: soon, prefix: "two"), newKey(name: "d", prefix: "two"),
            ]
            for key in keys { _ = try await store.create(key, claim: nil) }
            _ = try await store.deactivate(keys[2].id)
            let rotated = Rotation(id: .generate(), secret: newKey(prefix: "three").secret, grace: .zero)
            _ = try await store.rotate(keys[3].id, version: nil, rotated, claim: nil)
            let later = Timestamp.now.advanced(by: .seconds(60))
            try await store.record([
                UsageCount(digest: keys[0].digest, keyID: keys[0].id, day: 20_000, requests: 1, lastUsedAt: later)
            ])
            try await Task.sleep(for: .milliseconds(30))
            func names(_ query: KeyQuery) async throws -> String {
                let found = try await store.list(query).map(\.name).sorted()
                try expect(try await store.count(query) == KeyCount(found.count, isExact: true), "count")
                return found.joined()
            }
            try expect(try await names(KeyQuery()) == "abcd", "none")
            try expect(try await names(KeyQuery(scope: "x:read")) == "ac", "scope")
            try expect(try await names(KeyQuery(scope: "x")).isEmpty, "part of a scope")
            try expect(try await names(KeyQuery(prefix: "one")) == "ab", "prefix")
            try expect(try await names(KeyQuery(prefix: "two")) == "c", "a revoked secret does not match")
            try expect(try await names(KeyQuery(prefix: "three")) == "d", "the newest secret matches")
            try expect(try await names(KeyQuery(lastFour: keys[1].lastFour)) == "b", "last four")
            try expect(
                try await names(KeyQuery(prefix: "two", lastFour: keys[0].lastFour)).isEmpty, "both of one secret")
            try expect(try await names(KeyQuery(expiringWithin: .seconds(7_200))) == "a", "ends soon")
            try expect(
                try await names(KeyQuery(expiringWithin: .seconds(30 * 86_400))) == "ab", "expires within a month")
            try expect(try await names(KeyQuery(expiringWithin: .seconds(60))).isEmpty, "expires within a minute")
            try expect(try await names(KeyQuery(unusedFor: .milliseconds(10))) == "bcd", "not used")
            try expect(try await names(KeyQuery(unusedFor: .seconds(60))).isEmpty, "created just now")
            try expect(
                try await names(
                    KeyQuery(
                        order: KeyOrder(.lastUsed), status: .active, unusedFor: .milliseconds(10), scope: "x:*",
                        prefix: "one", text: "B")) == "b", "all filters together")
        },
        StoreConformance(description: "a closed store is unavailable") { store in
            await store.close()
            do {
                _ = try await store.list(KeyQuery())
                throw broken("answered")
            } catch let error as StoreError {
                try expect(error.kind == .unavailable, "kind")
            }
        },
    ]

    /// Returns a key with a fresh secret.
    public static func newKey(
        name: String = "key", description: String = "", id: KeyID = .generate(), owner: String? = nil,
        scopes: [String] = [], labels: [String: String] = [:], expiresAt: Timestamp? = nil, digest: SecretDigest? = nil,
        prefix: String = TokenPrefix.standard.description
    ) -> NewKey {
        let token = Token.generate(prefix: TokenPrefix(prefix) ?? .standard)
        return NewKey(
            id: id,
            attributes: KeyAttributes(
                name: name, description: description, owner: owner, scopes: scopes, labels: labels,
                expiresAt: expiresAt),
            secret: NewSecret(digest: digest ?? token.digest, prefix: token.prefix, lastFour: token.lastFour))
    }

    /// A limit of each kind, with all members.
    static var limits: [LimitRule] {
        get throws {
            let pattern = RequestPattern("POST /v1/images/**")
            let all = [
                LimitRule("minute", .rate(period: .seconds(90), burst: 100), limit: 600),
                LimitRule("day", .quota(.day), limit: 50_000, match: [pattern].compactMap(\.self)),
                LimitRule("at-a-time", .concurrent, limit: 20),
                LimitRule("export", .quota(.week), limit: 5, isAsked: true),
            ].compactMap(\.self)
            guard all.count == 4, pattern != nil else { throw broken("limits") }
            return all
        }
    }

    /// Credits with a refill of all members.
    static var credits: KeyCredits? {
        KeyCredits(
            remaining: 12_400, refill: KeyCredits.Refill(50_000, every: .month, day: 31, adds: true, maximum: 90_000))
    }

    /// Returns the keys of all pages in sequence.
    private static func pages(_ store: any Store, _ query: KeyQuery) async throws -> [AuthKey] {
        var (keys, query): ([AuthKey], KeyQuery) = ([], query)
        while true {
            let page = try await store.list(query)
            guard let last = page.last else { return keys }
            keys += page
            query.after = ListCursor(after: last, in: query.order)
        }
    }

    /// Returns true if keys are in the natural order of a field: newest first, by name, last used first, soonest expiry
    /// first.
    private static func isOrdered(_ keys: [AuthKey], by field: KeyOrder.Field) -> Bool {
        zip(keys, keys.dropFirst()).allSatisfy { one, other in
            switch field {
            case .created: one.createdAt >= other.createdAt
            case .name: one.name <= other.name
            case .lastUsed: one.usage.lastUsedAt ?? .minimum >= other.usage.lastUsedAt ?? .minimum
            case .expires: one.expiresAt ?? .maximum <= other.expiresAt ?? .maximum
            }
        }
    }

    public static func rotation(grace: Duration) -> Rotation {
        Rotation(id: .generate(), secret: NewSecret(Token.generate()), grace: grace)
    }

    static func collect(
        _ store: any Store, since watermark: Watermark?
    ) async throws -> (entries: [KeyEntry], reading: FeedReading) {
        let collected = Collected()
        let batch = try await store.changes(since: watermark) { collected.append($0) }
        return (collected.entries, batch.reading)
    }

    /// Returns true if a read belongs to the same past. Another session after a checkpoint may have to read again.
    public static func isUnbroken(_ watermark: Watermark, _ reading: FeedReading) -> Bool {
        if case .broken = watermark.continuity(to: reading) { false } else { true }
    }

    static func trail(of store: any Store) async throws -> [AuditEvent] {
        guard let trail = store as? any AuditTrail else { throw broken("no trail") }
        return try await trail.events(AuditQuery(limit: 100))
    }

    static func expect(_ condition: Bool, _ what: String) throws {
        guard condition else { throw broken(what) }
    }

    static func broken(_ what: String) -> Broken {
        Broken(description: what)
    }
}
