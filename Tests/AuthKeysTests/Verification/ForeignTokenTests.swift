import Crypto
import Logging
import TestSupport
import Testing

@testable import AuthKeys
@testable import KeyAdministration

@Suite("Imported tokens")
struct ForeignTokenTests {
    let clock = ManualClock()
    let store: InMemoryStore
    let index = KeyIndex()
    let freshness: IndexFreshness
    let verifier: KeyVerifier
    let service: AuthKeyService

    init() {
        store = InMemoryStore(time: clock.source)
        freshness = IndexFreshness(maxStaleness: .seconds(3_600), time: clock.source)
        verifier = KeyVerifier(
            index: index, freshness: freshness,
            lookup: UnknownKeyLookup(store: store, index: index, time: clock.source))
        service = AuthKeyService(store: store, index: index, time: clock.source)
        freshness.recordSync(startedAt: .zero)
    }

    private func secret(
        _ token: String, prefix: String, _ algorithm: TokenScheme.Algorithm, _ part: TokenScheme.Part
    ) -> ImportRequest.Secret {
        let hashed = Array((part == .token ? token : String(token.dropFirst(prefix.count))).utf8)
        let digest = algorithm == .sha256 ? Array(SHA256.hash(data: hashed)) : Array(SHA512.hash(data: hashed))
        return ImportRequest.Secret(
            digest: Base64URL.encode(digest), algorithm: algorithm.rawValue, part: part.rawValue, prefix: prefix)
    }

    private func bring(_ secrets: [ImportRequest.Secret], mode: ImportOptions.Mode = .atomic) async throws
        -> ImportReport
    {
        let lines = secrets.enumerated().map { number, secret in
            ImportLine(
                number: number + 1,
                content: .success(ImportRequest(attributes: KeyAttributes(name: "n\(number)"), secret: secret)))
        }
        let batches = AsyncStream { continuation in
            for line in lines { continuation.yield([line]) }
            continuation.finish()
        }
        return try await service.importKeys(ImportOptions(mode: mode), lines: batches, by: .test) {}
    }

    private func name(_ token: String) async -> String {
        switch await verifier.verify(token, time: clock.source) {
        case .admitted(_, let profile): profile.principal.name
        case .refused(let refusal, _): refusal.code
        case .unresolved, .unavailable: "unavailable"
        }
    }

    @Test("each imported token is valid at once, and no other is")
    func open() async throws {
        let tokens = ["sk_gom_0123456789abcdef", "live-0123456789abcdef", "pk.0123456789abcdef", "0123456789ABCDEF"]
        #expect(await name(tokens[0]) == "key_malformed")
        let report = try await bring([
            secret(tokens[0], prefix: "sk_gom_", .sha256, .suffix), secret(tokens[1], prefix: "live-", .sha512, .token),
            secret(tokens[2], prefix: "pk.", .sha512, .suffix), ImportRequest.Secret(token: tokens[3], prefix: ""),
        ])
        #expect(report.imported == 4 && report.failed == 0)
        for (number, token) in tokens.enumerated() { #expect(await name(token) == "n\(number)", "\(number)") }
        for token in tokens { #expect(await name(token + "x") == "key_unknown") }
        #expect(await name("0123 456789ABCDEF") == "key_malformed")
        #expect(await name(String(repeating: "0", count: 513)) == "key_malformed")
        #expect(await name("sk_gom_" + "live-0123456789abcdef") == "key_unknown")
    }

    @Test("a token that matches several schemes is found under the correct one")
    func overlapping() async throws {
        let token = "sk_gom_0123456789abcdef"
        _ = try await bring([
            secret(token, prefix: "sk_gom_", .sha256, .suffix), secret(token + "1", prefix: "sk_", .sha512, .token),
        ])
        _ = try await store.changes(since: nil) { [index] in index.apply($0) }
        #expect(await name(token) == "n0")
        #expect(await name(token + "1") == "n1")
        let own = Token.generate()
        _ = try await bring([secret(own.value, prefix: "", .sha512, .token)])
        _ = try await store.changes(since: nil) { [index] in index.apply($0) }
        #expect(await name(own.value) == "n0", "a token of Keyward's format too, if the index has it")
    }

    @Test(
        "a token imported under two schemes is valid only while both keys are",
        arguments: [0, 1])
    func twice(_ ended: Int) async throws {
        let token = "sk_gom_0123456789abcdef"
        func importBoth() async throws -> [AuthKey] {
            _ = try await bring([
                secret(token, prefix: "sk_gom_", .sha256, .suffix), secret(token, prefix: "sk_", .sha512, .token),
            ])
            _ = try await store.changes(since: nil) { [index] in index.apply($0) }
            return try await store.list(KeyQuery()).sorted { $0.name < $1.name }
        }
        let id = try await importBoth()[ended].id.description
        #expect(await name(token) == "n0")
        var patch = KeyPatch()
        patch.enabled = .set(false)
        _ = try await service.update(id, version: nil, patch, by: .test)
        #expect(await name(token) == "key_inactive")
        patch.enabled = .set(true)
        _ = try await service.update(id, version: nil, patch, by: .test)
        #expect(await name(token) == "n0")
        _ = try await service.deactivate(id, by: .test)
        #expect(await name(token) == "key_inactive")
        try await service.delete(id, version: nil, by: .test)
        #expect(await name(token) == "key_unknown")
    }

    @Test("a Keyward token whose digest was imported too is revoked with either key")
    func ownToo() async throws {
        for endsOwn in [true, false] {
            let own = try await service.create(KeyRequest(name: "own"), by: .test)
            _ = try await bring([secret(own.token.value, prefix: "kw_", .sha512, .suffix)])
            _ = try await store.changes(since: nil) { [index] in index.apply($0) }
            #expect(await name(own.token.value) == "own")
            let other = try #require(
                try await store.list(KeyQuery()).first { $0.name == "n0" && $0.deactivatedAt == nil })
            let id = (endsOwn ? own.key.id : other.id).description
            _ = try await service.deactivate(id, by: .test)
            #expect(await name(own.token.value) == "key_inactive")
            try await service.delete(id, version: nil, by: .test)
            #expect(await name(own.token.value) == "key_unknown")
            if endsOwn { _ = try await service.deactivate(other.id.description, by: .test) }
        }
    }

    @Test(
        "a token is refused if its digest exists or existed under any scheme",
        arguments: TokenScheme.Algorithm.allCases, TokenScheme.Part.allCases)
    func plain(_ algorithm: TokenScheme.Algorithm, _ part: TokenScheme.Part) async throws {
        let token = "sk_gom_0123456789abcdef"
        _ = try await bring([secret(token, prefix: "sk_gom_", algorithm, part)])
        let key = try #require(try await store.list(KeyQuery()).first)
        for prefix in ["", "sk_", "sk_gom_"] {
            let again = try await bring([ImportRequest.Secret(token: token, prefix: prefix)])
            #expect(again.imported == 0 && again.problems.map(\.message) == ["a key with this secret exists"])
        }
        _ = try await service.deactivate(key.id.description, by: .test)
        try await service.delete(key.id.description, version: nil, by: .test)
        let again = try await bring([ImportRequest.Secret(token: token, prefix: "sk_gom_")])
        #expect(again.problems.map(\.message) == ["this secret belonged to a key that was deleted"])
        let both = try await bring(
            [
                secret(token + "1", prefix: "sk_gom_", algorithm, part),
                ImportRequest.Secret(token: token + "1", prefix: "sk_"),
                ImportRequest.Secret(token: token + "2", prefix: ""),
                secret(token + "2", prefix: "sk_gom_", algorithm, part),
            ], mode: .skip)
        #expect(both.imported == 2 && both.problems.map(\.line) == [2, 4])
    }

    @Test("another instance learns a scheme with its next read and then looks up its tokens")
    func elsewhere() async throws {
        let token = "sk_gom_0123456789abcdef"
        let other = KeyIndex()
        let follower = IndexFollower(
            store: store, hints: store, index: other, freshness: freshness, time: clock.source,
            logger: .init(label: "t"))
        _ = try await follower.load()
        _ = try await bring([secret(token, prefix: "sk_gom_", .sha256, .suffix)])
        #expect(other.schemes.all.isEmpty)
        _ = try await follower.load()
        #expect(other.schemes.all.map(\.prefix) == ["sk_gom_"] && other.count == 1)
        let late = "sk_gom_fedcba9876543210"
        _ = try await bring([secret(late, prefix: "sk_gom_", .sha256, .suffix)])
        let elsewhere = KeyVerifier(
            index: other, freshness: freshness, lookup: UnknownKeyLookup(store: store, index: other, time: clock.source)
        )
        guard case .admitted = await elsewhere.verify(late, time: clock.source) else {
            Issue.record("not found")
            return
        }
    }

    @Test("invalid tokens of a scheme cost no more statements than other invalid ones")
    func flood() async throws {
        _ = try await bring([secret("sk_gom_0123456789abcdef", prefix: "sk_gom_", .sha256, .suffix)])
        let before = store.finds
        for number in 0..<10_000 { #expect(await name("sk_gom_\(number)") == "key_unknown") }
        #expect(store.finds - before <= LookupBudget.burst)
    }

    @Test("a rotation creates a Keyward secret, with the old prefix if possible")
    func rotation() async throws {
        _ = try await bring([
            secret("sk_gom_0123456789abcdef", prefix: "sk_gom_", .sha256, .suffix),
            secret("live-0123456789abcdef", prefix: "live-", .sha256, .suffix),
        ])
        for key in try await store.list(KeyQuery()) {
            let (issued, _) = try await service.rotate(
                key.id.description, version: nil, grace: .zero, idempotencyKey: nil, by: .test)
            #expect(issued.token.prefix.description == (key.name == "n0" ? "sk_gom" : "kw"))
            #expect(await name(issued.token.value) == key.name)
        }
    }

    @Test("the number of schemes is limited")
    func limit() async throws {
        let report = try await bring(
            (0..<40).map { secret("p\($0)_0123456789abcdef", prefix: "p\($0)_", .sha256, .suffix) }, mode: .skip)
        #expect(
            report.imported == 32 && report.failed == 8
                && report.problems.map(\.param) == Array(repeating: "prefix", count: 8))
        #expect(index.schemes.all.count == TokenSchemes.limit)
    }

    @Test("one import runs at a time, and a failed one does not block the next")
    func turns() async throws {
        let (lines, continuation) = AsyncStream.makeStream(of: [ImportLine].self)
        async let first = service.importKeys(ImportOptions(), lines: lines, by: .test) {}
        try await Task.sleep(for: .milliseconds(100))
        await #expect(throws: AuthKeyError.conflict(.importRunning)) {
            try await service.importKeys(ImportOptions(), lines: AsyncStream<[ImportLine]> { $0.finish() }, by: .test) {
            }
        }
        continuation.finish()
        #expect(try await first.imported == 0)
        store.isDown = true
        await #expect(throws: AuthKeyError.store(StoreError(.unavailable, detail: "down"))) {
            try await bring([ImportRequest.Secret(token: "0123456789abcdef", prefix: "")])
        }
        store.isDown = false
        #expect(try await bring([ImportRequest.Secret(token: "0123456789abcdef", prefix: "")]).imported == 1)
    }
}
