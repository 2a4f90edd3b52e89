import AuthKeys
import KeyAdministration
import LibPQ
import TestSupport
import Testing

@testable import AuthKeysPostgres
@testable import KeyAdministrationPostgres

@Suite("Imports into PostgreSQL")
struct ImportTests {
    private func keys(_ count: Int) -> [ImportedKey] {
        (1...count).map { line in
            let secret = ImportedSecret(
                digest: Token.generate().digest, prefix: "sk-", lastFour: "", scheme: nil, isToken: false)
            return ImportedKey(
                line: line, id: .generate(), attributes: KeyAttributes(name: "n\(line)"), secret: secret,
                createdAt: .now, updatedAt: .now)
        }
    }

    @Test("an import appears at once, also in the feed, and leaves no staging table")
    func atOnce() async throws {
        try await StoreFixture.with { fixture in
            let start = try await fixture.changes(since: nil).batch.watermark
            let keys = keys(5_000)
            let kept = try await fixture.store.stageImport { stage in
                for batch in stride(from: 0, to: keys.count, by: 1_000) {
                    try await stage.add(Array(keys[batch..<(batch + 1_000)]))
                }
                #expect(try await fixture.changes(since: start).entries.isEmpty)
                return try await stage.keep(schemes: [], by: .test)
            }
            #expect(kept == 5_000)
            let entries = try await fixture.changes(since: start).entries
            #expect(Set(entries.map(\.digest)) == Set(keys.map(\.digest)))
            let left = try await fixture.admin.query(
                "SELECT count(*) FROM pg_class WHERE relname = 'import_stage'")
            #expect(try left.rows.first?.int64(0) == 0)
        }
    }

    @Test("a concurrent creation of the same secret is a conflict, and the import is rolled back")
    func race() async throws {
        try await StoreFixture.with { fixture in
            let keys = keys(3)
            do {
                _ = try await fixture.store.stageImport { stage in
                    try await stage.add(keys)
                    _ = try await stage.removeDuplicates(naming: 10)
                    try await fixture.create(StoreConformance.newKey(name: "other", digest: keys[1].digest))
                    return try await stage.keep(schemes: [], by: .test)
                }
                Issue.record("kept")
            } catch let error as StoreError {
                #expect(error.kind == .conflict)
            }
            #expect(try await fixture.store.list(KeyQuery()).map(\.name) == ["other"])
        }
    }

    @Test("the database itself refuses an invalid secret")
    func checks() async throws {
        try await StoreFixture.with { fixture in
            let key = StoreConformance.newKey()
            try await fixture.create(key)
            for (change, isFine) in [
                ("prefix = 'sk-gom.', whole_prefix = true", true), ("last_four = ''", true),
                ("last_four = '12345'", false), ("prefix = repeat('p', 65)", false),
                ("prefix = 'sk-gom.', whole_prefix = false, last_four = '1234'", false),
                ("prefix = 'kw', whole_prefix = false, last_four = '123'", false),
            ] {
                do {
                    try await fixture.sql("UPDATE auth_key_secrets SET \(change)")
                    #expect(isFine, "\(change)")
                } catch let error as PostgresError {
                    #expect(!isFine && error.sqlState == "23514", "\(change)")
                }
            }
        }
    }
}
