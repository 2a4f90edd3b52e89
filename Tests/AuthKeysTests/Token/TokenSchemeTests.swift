import Crypto
import Testing

@testable import AuthKeys

@Suite("Token schemes")
struct TokenSchemeTests {
    private func scheme(_ prefix: String, _ algorithm: TokenScheme.Algorithm, _ part: TokenScheme.Part) throws
        -> TokenScheme
    {
        try #require(TokenScheme(prefix: prefix, algorithm: algorithm, part: part))
    }

    private func address(_ scheme: TokenScheme, _ token: String) -> SecretDigest? {
        Array(token.utf8).withUnsafeBytes { scheme.address(of: $0) }
    }

    @Test("a token and its digest have one address for each algorithm and part")
    func addresses() throws {
        let token = "sk_gom_0123456789abcdef"
        for (part, hashed) in [(TokenScheme.Part.token, token), (.suffix, String(token.dropFirst(7)))] {
            let bytes = Array(hashed.utf8)
            let small = Array(SHA256.hash(data: bytes))
            let large = Array(SHA512.hash(data: bytes))
            for (algorithm, digest) in [(TokenScheme.Algorithm.sha256, small), (.sha512, large)] {
                let scheme = try scheme("sk_gom_", algorithm, part)
                let kept = digest.withUnsafeBytes { scheme.address(ofDigest: $0) }
                #expect(kept != nil && address(scheme, token) == kept)
                #expect(address(scheme, token + "x") != kept)
                #expect(address(scheme, "sk_gom") == nil && address(scheme, "sk_gom_") == nil)
                #expect(address(scheme, "sk_gon_0123456789abcdef") == nil)
                #expect(digest.dropLast().withUnsafeBytes { scheme.address(ofDigest: $0) } == nil)
            }
        }
    }

    @Test("digests of different schemes differ in address, and no token hashes to one")
    func separation() throws {
        let digest = Array(SHA256.hash(data: Array("0123456789abcdef".utf8)))
        let schemes = try [
            scheme("a_", .sha256, .token), scheme("a_", .sha256, .suffix), scheme("b_", .sha256, .suffix),
        ]
        let addresses = schemes.compactMap { scheme in digest.withUnsafeBytes { scheme.address(ofDigest: $0) } }
        #expect(Set(addresses).count == 3)
        // The holder of a digest could write down the preimage of its address, but could not send it as a token.
        let preimage = Array("\0keyward imported digest\0sha256\0suffix\0a_\0".utf8) + digest
        #expect(preimage.withUnsafeBytes { SecretDigest(hashing: $0) } == addresses[1])
        let known = TokenSchemes()
        known.add([try scheme("", .sha256, .token)])
        for bytes in [preimage, digest, Array("é0123456789abcdef".utf8), Array("0123456789 abcdef".utf8), []] {
            bytes.withUnsafeBytes { bytes in
                known.forEachDigest(of: bytes) { _ in
                    Issue.record("accepted as a token")
                }
            }
        }
    }

    @Test("prefixes are visible ASCII, and a suffix needs a prefix")
    func prefixes() {
        #expect(TokenScheme(prefix: "", algorithm: .sha256, part: .token) != nil)
        #expect(TokenScheme(prefix: "", algorithm: .sha256, part: .suffix) == nil)
        for prefix in ["a b", "é", "a\u{0}", String(repeating: "p", count: 65)] {
            #expect(TokenScheme(prefix: prefix, algorithm: .sha512, part: .suffix) == nil)
        }
    }

    @Test("schemes are sorted by length of prefix, without duplicates")
    func known() throws {
        let schemes = TokenSchemes()
        let wanted = try [
            scheme("", .sha256, .token), scheme("sk_", .sha256, .suffix), scheme("sk_gom_", .sha256, .suffix),
        ]
        for _ in 0..<3 { schemes.add(wanted) }
        schemes.add(wanted.prefix(1))
        #expect(schemes.all == wanted.reversed())
        var found: [SecretDigest] = []
        Array("sk_gom_0123456789abcdef".utf8).withUnsafeBytes { bytes in
            schemes.forEachDigest(of: bytes) { address in
                found.append(address)
            }
        }
        #expect(found == wanted.reversed().map { address($0, "sk_gom_0123456789abcdef") })
    }

    @Test("tables can be read while they change")
    func concurrent() async throws {
        let schemes = TokenSchemes()
        let token = Array("p7_0123456789abcdef".utf8)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<3 {
                group.addTask {
                    for _ in 0..<20_000 {
                        var count = 0
                        token.withUnsafeBytes { bytes in
                            schemes.forEachDigest(of: bytes) { _ in
                                count += 1
                            }
                        }
                        #expect(count <= 1)
                    }
                }
            }
            group.addTask {
                for number in 0..<TokenSchemes.limit {
                    if let scheme = TokenScheme(prefix: "p\(number)_", algorithm: .sha256, part: .suffix) {
                        schemes.add([scheme])
                    }
                    await Task.yield()
                }
            }
        }
        #expect(schemes.all.count == TokenSchemes.limit)
    }
}
