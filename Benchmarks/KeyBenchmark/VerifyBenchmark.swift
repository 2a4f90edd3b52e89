import AuthKeys
import Crypto

/// Measures the nanoseconds per verification, compared with SHA-256 alone of the same tokens, and the bytes per key.
enum VerifyBenchmark {
    private static let rounds = 5
    /// The number of tokens. Their keys exceed every cache, so that each lookup reads memory, as in a large
    /// installation.
    private static let sampleLimit = 2_000_000

    static func run(_ counts: [Int]) {
        let tokens = sample(min(counts.max() ?? 1, sampleLimit))
        print(
            "      keys   verify ns   SHA-256 ns   ratio   three rules ns   ratio    lookup ns   bytes/key   resident bytes/key"
        )
        for count in counts {
            let before = KeyBenchmark.resident
            let index = fill(count, with: tokens)
            let resident = KeyBenchmark.resident - before
            let freshness = IndexFreshness(maxStaleness: .seconds(3_600))
            freshness.recordSync(startedAt: .zero)
            func verifier(_ index: KeyIndex) -> KeyVerifier {
                KeyVerifier(
                    index: index, freshness: freshness, lookup: UnknownKeyLookup(store: NoStore(), index: index))
            }
            let plain = verifier(index)
            // Ten million keys twice would exceed the memory of many machines.
            let limited = count <= 1_000_000 ? verifier(fill(count, with: tokens, policy: threeRules)) : nil
            let present = min(count, tokens.count)
            var verifying: [Double] = []
            var hashing: [Double] = []
            var lookingUp: [Double] = []
            var verifyingWithRules: [Double] = []
            for _ in 0..<rounds {
                hashing.append(measure(tokens, present) { hash($0) })
                lookingUp.append(lookUp(index, tokens, present))
                let now = Timestamp.now
                verifying.append(
                    measure(tokens, present) { token in
                        if case .admitted = plain.verify(token, at: now) { return true }
                        return false
                    })
                guard let limited else { continue }
                verifyingWithRules.append(
                    withRequest { request in
                        measure(tokens, present) { token in
                            if case .admitted = limited.verify(token, for: request, at: now) { return true }
                            return false
                        }
                    })
            }
            let (verify, bare, lookup) = (
                KeyBenchmark.median(verifying), KeyBenchmark.median(hashing), KeyBenchmark.median(lookingUp)
            )
            print(
                "\(count)".leftPadded(10), rounded(verify, 1).leftPadded(11), rounded(bare, 1).leftPadded(12),
                rounded(verify / bare, 2).leftPadded(7),
                verifyingWithRules.isEmpty
                    ? "-".leftPadded(16) : rounded(KeyBenchmark.median(verifyingWithRules), 1).leftPadded(16),
                verifyingWithRules.isEmpty
                    ? "-".leftPadded(7) : rounded(KeyBenchmark.median(verifyingWithRules) / verify, 2).leftPadded(7),
                rounded(lookup, 1).leftPadded(12),
                rounded(Double(index.memory) / Double(count), 1).leftPadded(11),
                rounded(Double(max(0, resident)) / Double(count), 1).leftPadded(20))
        }
    }

    /// A policy of three rules, which the request of `withRequest` satisfies.
    private static let threeRules =
        KeyPolicy(cidrs: ["10.0.0.0/8"], methods: ["GET", "POST"], paths: ["/v1/documents/*"]) ?? .none

    private static func withRequest<R>(_ body: (AccessRequest) -> R) -> R {
        Array("GET".utf8).withUnsafeBytes { method in
            Array("/v1/documents/7?page=2".utf8).withUnsafeBytes { path in
                body(AccessRequest(method: method, path: path, address: IPAddress("10.1.2.3")))
            }
        }
    }

    /// Concatenated tokens of equal length. Their order is random, because tokens are.
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

    /// Creates an index of `count` keys: those of the sample, then random ones.
    private static func fill(_ count: Int, with tokens: Tokens, policy: KeyPolicy = .none) -> KeyIndex {
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
                KeyEntry(
                    digest: digest, keyID: .generate(), version: 1, state: .active, name: "customer \(number)",
                    policy: policy))
        }
        return index
    }

    /// Returns the nanoseconds per token over all present tokens, with repetitions if they are few.
    private static func measure(_ tokens: Tokens, _ present: Int, _ body: (UnsafeRawBufferPointer) -> Bool) -> Double {
        let repeats = max(1, 1_000_000 / present)
        var count = 0
        let start = ContinuousClock.now
        tokens.bytes.withUnsafeBytes { bytes in
            for _ in 0..<repeats {
                for number in 0..<present {
                    let token = UnsafeRawBufferPointer(
                        rebasing: bytes[(number * tokens.length)..<((number + 1) * tokens.length)])
                    if body(token) { count += 1 }
                }
            }
        }
        let elapsed = ContinuousClock.now - start
        precondition(count == repeats * present)
        return elapsed / .nanoseconds(1) / Double(repeats * present)
    }

    private static func lookUp(_ index: KeyIndex, _ tokens: Tokens, _ present: Int) -> Double {
        let repeats = max(1, 1_000_000 / present)
        var count = 0
        let start = ContinuousClock.now
        for _ in 0..<repeats {
            for number in 0..<present where index.withKey(for: tokens.digests[number], { $0.state == .active }) == true
            {
                count += 1
            }
        }
        let elapsed = ContinuousClock.now - start
        precondition(count == repeats * present)
        return elapsed / .nanoseconds(1) / Double(repeats * present)
    }

    private static func hash(_ token: UnsafeRawBufferPointer) -> Bool {
        SHA256.hash(data: token).withUnsafeBytes { $0[0] } <= .max
    }
}

/// A store that the benchmark never calls.
private struct NoStore: KeyFinder {
    func find(_ digests: [SecretDigest]) async throws(StoreError) -> [KeyEntry] {
        throw StoreError(.unavailable, detail: "no store")
    }
}
