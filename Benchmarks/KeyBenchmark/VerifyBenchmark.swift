import AuthKeys
import Crypto

/// Nanoseconds a verification, beside bare SHA-256 of the same tokens, and bytes a key.
enum VerifyBenchmark {
    private static let rounds = 5
    /// More tokens than any cache holds the keys of, so that each look-up goes to memory as in a big installation.
    private static let sampleLimit = 2_000_000

    static func run(_ counts: [Int]) {
        let tokens = sample(min(counts.max() ?? 1, sampleLimit))
        print("      keys   verify ns   SHA-256 ns   ratio   look-up ns   bytes/key   resident bytes/key")
        for count in counts {
            let before = KeyBenchmark.resident
            let index = fill(count, with: tokens)
            let resident = KeyBenchmark.resident - before
            let freshness = IndexFreshness(maxStaleness: .seconds(3_600))
            freshness.recordSync(startedAt: .zero)
            let verifier = KeyVerifier(
                index: index, freshness: freshness, lookup: UnknownKeyLookup(store: NoStore(), index: index))
            let present = min(count, tokens.count)
            var verifying: [Double] = []
            var hashing: [Double] = []
            var looking: [Double] = []
            for _ in 0..<rounds {
                hashing.append(measure(tokens, present) { hash($0) })
                looking.append(look(index, tokens, present))
                let now = Timestamp.now
                verifying.append(
                    measure(tokens, present) { token in
                        if case .admitted = verifier.verify(token, at: now) { return true }
                        return false
                    })
            }
            let (verify, bare, look) = (
                KeyBenchmark.median(verifying), KeyBenchmark.median(hashing), KeyBenchmark.median(looking)
            )
            print(
                "\(count)".leftPadded(10), rounded(verify, 1).leftPadded(11), rounded(bare, 1).leftPadded(12),
                rounded(verify / bare, 2).leftPadded(7), rounded(look, 1).leftPadded(12),
                rounded(Double(index.memory) / Double(count), 1).leftPadded(11),
                rounded(Double(max(0, resident)) / Double(count), 1).leftPadded(20))
        }
    }

    /// Tokens, one behind the other, all of one length, in random order by their nature.
    private struct Tokens {
        let bytes: [UInt8]
        let length: Int
        let digests: [SecretDigest]
        var count: Int { digests.count }
    }

    private static func sample(_ count: Int) -> Tokens {
        var bytes: [UInt8] = []
        var digests: [SecretDigest] = []
        digests.reserveCapacity(count)
        for _ in 0..<count {
            let token = Token.generate()
            bytes.append(contentsOf: token.value.utf8)
            digests.append(token.digest)
        }
        return Tokens(bytes: bytes, length: bytes.count / count, digests: digests)
    }

    /// An index of `count` keys: the sample's, and random ones beyond.
    private static func fill(_ count: Int, with tokens: Tokens) -> KeyIndex {
        let index = KeyIndex()
        index.reserve(count)
        var random = SystemRandomNumberGenerator()
        for number in 0..<count {
            let digest: SecretDigest
            if number < tokens.count {
                digest = tokens.digests[number]
            } else {
                let words = (random.next(), random.next(), random.next(), random.next())
                guard let made = withUnsafeBytes(of: words, { SecretDigest($0) }) else { continue }
                digest = made
            }
            index.apply(
                KeyEntry(digest: digest, keyID: .generate(), version: 1, state: .active, name: "customer \(number)"))
        }
        return index
    }

    /// Nanoseconds a token, over as many as there are, often enough to take a while.
    private static func measure(_ tokens: Tokens, _ present: Int, _ body: (UnsafeRawBufferPointer) -> Bool) -> Double {
        let repeats = max(1, 1_000_000 / present)
        var good = 0
        let start = ContinuousClock.now
        tokens.bytes.withUnsafeBytes { bytes in
            for _ in 0..<repeats {
                for number in 0..<present {
                    let token = UnsafeRawBufferPointer(
                        rebasing: bytes[(number * tokens.length)..<((number + 1) * tokens.length)])
                    if body(token) { good += 1 }
                }
            }
        }
        let elapsed = ContinuousClock.now - start
        precondition(good == repeats * present)
        return elapsed / .nanoseconds(1) / Double(repeats * present)
    }

    private static func look(_ index: KeyIndex, _ tokens: Tokens, _ present: Int) -> Double {
        let repeats = max(1, 1_000_000 / present)
        var good = 0
        let start = ContinuousClock.now
        for _ in 0..<repeats {
            for number in 0..<present where index.withKey(for: tokens.digests[number], { $0.state == .active }) == true
            {
                good += 1
            }
        }
        let elapsed = ContinuousClock.now - start
        precondition(good == repeats * present)
        return elapsed / .nanoseconds(1) / Double(repeats * present)
    }

    private static func hash(_ token: UnsafeRawBufferPointer) -> Bool {
        SHA256.hash(data: token).withUnsafeBytes { $0[0] } <= .max
    }
}

/// A store that is never asked.
private struct NoStore: Store {
    private func none() -> StoreError { StoreError(.unavailable, detail: "none") }
    func list(_ query: KeyQuery) async throws(StoreError) -> [AuthKey] { throw none() }
    func key(_ id: KeyID) async throws(StoreError) -> AuthKey? { throw none() }
    func create(_ key: NewKey, claim: IdempotencyClaim?, by call: AdminCall) async throws(StoreError) -> CreateOutcome {
        throw none()
    }
    func update(
        _ id: KeyID, version: Int64?, by call: AdminCall,
        _ change: @escaping @Sendable (KeyAttributes) throws(AuthKeyError) -> KeyAttributes
    ) async throws(StoreError) -> UpdateOutcome { throw none() }
    func delete(_ id: KeyID, version: Int64?, by call: AdminCall) async throws(StoreError) -> DeleteOutcome {
        throw none()
    }
    func rotate(
        _ id: KeyID, version: Int64?, _ rotation: Rotation, claim: IdempotencyClaim?, by call: AdminCall
    ) async throws(StoreError) -> RotateOutcome { throw none() }
    func endPreviousSecrets(_ id: KeyID, by call: AdminCall) async throws(StoreError) -> [KeyEntry]? { throw none() }
    func deactivate(_ id: KeyID, by call: AdminCall) async throws(StoreError) -> [KeyEntry]? { throw none() }
    func find(_ digests: [SecretDigest]) async throws(StoreError) -> [KeyEntry] { throw none() }
    func changes(
        since watermark: Watermark?, apply: @escaping @Sendable (KeyEntry) -> Void
    ) async throws(StoreError) -> ChangeBatch { throw none() }
    func close() async {}
}
