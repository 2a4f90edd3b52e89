import AuthKeys
import KeyAdministration

/// The requirements of imports.
extension StoreConformance {
    static let imports: [StoreConformance] = [
        StoreConformance(description: "an import stores keys with all their attributes") { store in
            var attributes = KeyAttributes(
                name: "é", description: "d", owner: "o", scopes: ["a", "b"], labels: ["env": "prod"],
                metadata: ["x": .integer(1)], enabled: false, expiresAt: moment(4_000_000_000),
                notBefore: moment(1_000), allowedMethods: ["GET"], allowedPaths: ["/a/**"],
                allowedCIDRs: ["10.0.0.0/8"], limits: try limits, plan: "gold", credits: credits,
                reportOnly: ["scopes", "limits.day", "credits"], selfRotation: true)
            let full = imported(1, attributes, deactivatedAt: moment(2_000))
            attributes = KeyAttributes(name: "plain")
            let plain = imported(2, attributes, lastFour: "")
            let (all, reading) = try await collect(store, since: nil)
            try expect(all.isEmpty, "empty before")
            let kept = try await store.stageImport { stage in
                try await stage.add([full])
                try await stage.add([plain])
                try expect(try await store.list(KeyQuery()).isEmpty, "a stage is not visible")
                try expect(try await stage.removeDuplicates(naming: 10) == ImportDuplicates(), "no duplicates")
                return try await stage.keep(schemes: [full, plain].compactMap(\.scheme), by: .test)
            }
            try expect(kept == 2, "two")
            let shown = try await store.key(full.id)
            try expect(shown?.attributes == full.attributes && shown?.version == 1, "attributes")
            try expect(shown?.createdAt == full.createdAt && shown?.updatedAt == full.updatedAt, "times")
            try expect(shown?.deactivatedAt == moment(2_000), "deactivated")
            try expect(shown?.redactedValue == "sk_gom_...abcd", "redacted: \(shown?.redactedValue ?? "")")
            try expect(try await store.key(plain.id)?.redactedValue == "sk_gom_...", "last four characters unknown")
            try expect(try await store.find([plain.digest]) == [plain.entry], "found")
            let changed = try await collect(store, since: reading.watermark).0.map(compact)
            try expect(
                changed.count == 2 && changed.contains(full.entry) && changed.contains(plain.entry), "in the feed")
            try expect(Set(try await store.schemes()) == [try scheme], "schemes")
        },
        StoreConformance(description: "an import that is not kept, or fails, stores nothing") { store in
            struct Failure: Error {}
            let key = imported(1, KeyAttributes(name: "n"))
            try await store.stageImport { try await $0.add([key]) }
            do {
                try await store.stageImport { stage in
                    try await stage.add([key])
                    _ = try await stage.keep(schemes: [try scheme], by: .test)
                    throw Failure()
                }
                throw broken("no failure")
            } catch is Failure {}
            try expect(try await store.list(KeyQuery()).isEmpty, "no key")
            try expect(try await store.find([key.digest]).isEmpty, "no secret")
            try expect(try await store.schemes().isEmpty, "no scheme")
        },
        StoreConformance(description: "an import removes existing, deleted and repeated secrets and ids") { store in
            let (known, deleted) = (newKey(name: "known"), newKey(name: "deleted"))
            for key in [known, deleted] { _ = try await store.create(key, claim: nil) }
            _ = try await store.deactivate(deleted.id)
            _ = try await store.delete(deleted.id, version: nil)
            let fresh = imported(3, KeyAttributes(name: "fresh"))
            let lines = [
                imported(1, fresh.attributes, digest: known.digest, isToken: true),
                imported(2, fresh.attributes, digest: deleted.digest),
                fresh,
                imported(5, fresh.attributes, digest: fresh.digest),
                imported(6, fresh.attributes, id: known.id),
                imported(9, fresh.attributes, id: fresh.id),
            ]
            let (found, kept) = try await store.stageImport { stage in
                try await stage.add(Array(lines.prefix(4)))
                try await stage.add(Array(lines.dropFirst(4)))
                return (
                    try await stage.removeDuplicates(naming: 4), try await stage.keep(schemes: [try scheme], by: .test)
                )
            }
            try expect(kept == 1 && found.count == 5, "\(kept) \(found.count)")
            let expected: [(Int, ImportDuplicate.Reason, Bool)] = [
                (1, .knownSecret, true), (2, .deletedSecret, false), (5, .repeatedSecret, false), (6, .knownID, false),
            ]
            let named = expected.map { ImportDuplicate(line: $0.0, reason: $0.1, isToken: $0.2) }
            try expect(found.first == named, "\(found.first)")
            try expect(Set(try await store.list(KeyQuery()).map(\.name)) == ["known", "fresh"], "kept")
        },
        StoreConformance(description: "an import removes a token that exists under another scheme") { store in
            let (known, deleted) = (newKey(name: "known"), newKey(name: "deleted"))
            for key in [known, deleted] { _ = try await store.create(key, claim: nil) }
            _ = try await store.deactivate(deleted.id)
            _ = try await store.delete(deleted.id, version: nil)
            let attributes = KeyAttributes(name: "n")
            let (early, late) = (Token.generate().digest, Token.generate().digest)
            let lines = [
                imported(1, attributes, isToken: true, elsewhere: [Token.generate().digest, known.digest]),
                imported(2, attributes, isToken: true, elsewhere: [deleted.digest]),
                imported(3, attributes, digest: early), imported(4, attributes, isToken: true, elsewhere: [early]),
                imported(5, attributes, isToken: true, elsewhere: [late]), imported(6, attributes, digest: late),
            ]
            let (found, kept) = try await store.stageImport { stage in
                try await stage.add(lines)
                return (
                    try await stage.removeDuplicates(naming: 10), try await stage.keep(schemes: [try scheme], by: .test)
                )
            }
            let expected: [(Int, ImportDuplicate.Reason, Bool)] = [
                (1, .knownSecret, true), (2, .deletedSecret, true), (4, .repeatedSecret, true),
                (6, .repeatedSecret, false),
            ]
            let named = expected.map { ImportDuplicate(line: $0.0, reason: $0.1, isToken: $0.2) }
            try expect(kept == 2 && found.count == 4 && found.first == named, "\(kept) \(found)")
        },
        StoreConformance(
            description: "an imported secret can be rotated like any other, and the trail shows its whole prefix"
        ) {
            store in
            let key = imported(1, KeyAttributes(name: "n"))
            _ = try await store.stageImport { stage in
                try await stage.add([key])
                return try await stage.keep(schemes: [try scheme], by: .test)
            }
            let next = rotation(grace: .seconds(60))
            guard case .rotated(let changed) = try await store.rotate(key.id, version: 1, next, claim: nil) else {
                throw broken("rotated")
            }
            try expect(changed.key.redactedValue == "kw_...\(next.secret.lastFour)", "newest")
            try expect(changed.key.previous?.redactedValue == "sk_gom_...abcd", "previous")
            try expect(Set(changed.entries.map(\.digest)) == [key.digest, next.secret.digest], "entries")
            _ = try await store.endPreviousSecrets(key.id, by: .test)
            let event = try await trail(of: store).first { $0.action == AuditAction.keyEndPreviousSecret.rawValue }
            try expect(event?.changes.contains("\"sk_gom_...abcd\"") == true, "\(event?.changes ?? "no event")")
        },
    ]

    private static var scheme: TokenScheme {
        get throws {
            guard let scheme = TokenScheme(prefix: "sk_gom_", algorithm: .sha256, part: .suffix) else {
                throw broken("scheme")
            }
            return scheme
        }
    }

    /// Returns an entry without the white space that PostgreSQL adds to its metadata.
    private static func compact(_ entry: KeyEntry) -> KeyEntry {
        KeyEntry(
            digest: entry.digest, keyID: entry.keyID, version: entry.version, state: entry.state,
            expiresAt: entry.expiresAt, name: entry.name, owner: entry.owner, scopes: entry.scopes,
            policy: entry.policy, metadata: entry.metadata.filter { $0 != " " })
    }

    private static func moment(_ seconds: Int64) -> Timestamp { Timestamp(microseconds: seconds * 1_000_000) }

    private static func imported(
        _ line: Int, _ attributes: KeyAttributes, id: KeyID = .generate(), digest: SecretDigest? = nil,
        lastFour: String = "abcd", isToken: Bool = false, elsewhere: [SecretDigest] = [],
        deactivatedAt: Timestamp? = nil
    ) -> ImportedKey {
        ImportedKey(
            line: line, id: id, attributes: attributes,
            secret: ImportedSecret(
                digest: digest ?? Token.generate().digest, prefix: "sk_gom_", lastFour: lastFour,
                scheme: try? scheme, isToken: isToken, elsewhere: elsewhere),
            createdAt: moment(1_700_000_000), updatedAt: moment(1_700_000_001), deactivatedAt: deactivatedAt)
    }
}
