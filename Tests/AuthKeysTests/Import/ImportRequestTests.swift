import TestSupport
import Testing

@testable import AuthKeys
@testable import KeyAdministration

@Suite("Import request")
struct ImportRequestTests {
    private let now = Timestamp(microseconds: 1_800_000_000_000_000)
    /// `printf %s 0123456789abcdef0123456789abcdef | sha256sum`, and the same in base64.
    private let hex = "3eef1b3a4b9c1de0bb1d5a1ba4ab4b11d0d3a5e5e3a5ae4c6f4b0ba4ce1d1c0f"

    private func checked(
        _ secret: ImportRequest.Secret, lifetimes: KeyLifetimes = KeyLifetimes(),
        _ change: (inout ImportRequest) -> Void = { _ in }
    ) throws -> ImportedKey {
        var request = ImportRequest(attributes: KeyAttributes(name: "n"), secret: secret)
        change(&request)
        return try request.checked(line: 7, now: now, lifetimes: lifetimes)
    }

    private func refusal(
        _ secret: ImportRequest.Secret, lifetimes: KeyLifetimes = KeyLifetimes(),
        _ change: (inout ImportRequest) -> Void = { _ in }
    ) -> String? {
        do {
            _ = try checked(secret, lifetimes: lifetimes, change)
            return "none"
        } catch {
            if case .invalid(let param, let message) = error as? AuthKeyError {
                #expect(!message.contains(hex.prefix(8)) && !message.contains("secret-canary"))
                return param
            }
            return "\(error)"
        }
    }

    private var digest: ImportRequest.Secret {
        ImportRequest.Secret(digest: hex, algorithm: "sha256", part: "suffix", prefix: "sk_gom_")
    }

    @Test("digests of each algorithm have one address in hex and base64")
    func encodings() throws {
        for algorithm in TokenScheme.Algorithm.allCases {
            let bytes = (0..<algorithm.byteCount).map { UInt8(truncatingIfNeeded: $0 * 41 + 251) }
            let hex = Hex.text(bytes)
            let url = Base64URL.encode(bytes)
            let plain = url.replacing("-", with: "+").replacing("_", with: "/")
            let padded = plain + String(repeating: "=", count: (4 - plain.count % 4) % 4)
            for part in TokenScheme.Part.allCases {
                let addresses = try [
                    (hex, nil), (hex.uppercased(), "hex"), (hex, "HEX"), (url, nil), (plain, "base64"), (padded, nil),
                ].map { text, encoding in
                    try checked(
                        ImportRequest.Secret(
                            digest: text, algorithm: algorithm.rawValue, encoding: encoding, part: part.rawValue,
                            prefix: "p-")
                    ).digest
                }
                #expect(Set(addresses).count == 1)
                let isPlain = algorithm == .sha256 && part == .token
                #expect((addresses.first == SecretDigest(bytes)) == isPlain)
            }
        }
        let named = try checked(ImportRequest.Secret(digest: hex, algorithm: "SHA-256", prefix: "")).scheme
        #expect(named == TokenScheme(prefix: "", algorithm: .sha256, part: .token))
    }

    @Test("an invalid digest is reported with its member and without its value")
    func badDigests() {
        func secret(_ change: (inout ImportRequest.Secret) -> Void) -> String? {
            var secret = digest
            change(&secret)
            return refusal(secret)
        }
        #expect(secret { _ in } == "none")
        #expect(secret { $0.digest = nil } == "digest")
        #expect(secret { $0.token = "secret-canary-0123456789" } == "digest")
        for text in ["", "zz", String(hex.dropLast()), hex + "0", String(hex.dropLast()) + "g", "====", hex + "="] {
            #expect(secret { $0.digest = text } == "digest", "\(text)")
        }
        #expect(secret { $0.encoding = "base64" } == "digest")
        #expect(secret { $0.encoding = "base32" } == "encoding")
        #expect(secret { $0.algorithm = nil } == "algorithm")
        #expect(secret { $0.algorithm = "md5" } == "algorithm")
        #expect(secret { $0.algorithm = "sha512" } == "digest")
        #expect(secret { $0.part = "middle" } == "of")
        #expect(secret { $0.prefix = nil } == "prefix")
        #expect(secret { $0.prefix = "" } == "prefix")
        #expect(secret { $0.prefix = "sk gom" } == "prefix")
        #expect(secret { $0.prefix = "é" } == "prefix")
        #expect(secret { $0.prefix = String(repeating: "p", count: 65) } == "prefix")
        #expect(secret { $0.lastFour = "12345" } == "last_four")
        #expect(secret { $0.lastFour = "a b" } == "last_four")
    }

    @Test("a token of Keyward's format needs no scheme, any other needs a prefix and is hashed whole")
    func tokens() throws {
        let own = Token.generate()
        let native = try checked(ImportRequest.Secret(token: own.value))
        #expect(native.digest == own.digest && native.scheme == nil)
        #expect(native.prefix == "kw_" && native.lastFour == own.lastFour && native.isToken)
        let foreign = try checked(ImportRequest.Secret(token: "live-0123456789abcdef", prefix: "live-"))
        #expect(foreign.scheme == TokenScheme(prefix: "live-", algorithm: .sha256, part: .token))
        #expect(foreign.prefix == "live-" && foreign.lastFour == "cdef")
        let bare = try checked(ImportRequest.Secret(token: "0123456789abcdef", prefix: ""))
        #expect(bare.prefix.isEmpty && bare.lastFour == "cdef")
        #expect(refusal(ImportRequest.Secret(token: "secret-canary-0123456789")) == "prefix")
        #expect(refusal(ImportRequest.Secret(token: "secret-canary-0123456789", prefix: "kw_")) == "prefix")
        #expect(refusal(ImportRequest.Secret(token: "secret-canary-01", prefix: "secret-canary-01")) == "prefix")
        for token in [
            "short", String(repeating: "x", count: 513), "secret-canary 0123456789", "secret-canary-é0123456",
        ] {
            #expect(refusal(ImportRequest.Secret(token: token, prefix: "")) == "token")
        }
        let token = "secret-canary-0123456789"
        #expect(refusal(ImportRequest.Secret(token: token, algorithm: "sha256", prefix: "")) == "algorithm")
        #expect(refusal(ImportRequest.Secret(token: token, encoding: "hex", prefix: "")) == "encoding")
        #expect(refusal(ImportRequest.Secret(token: token, part: "token", prefix: "")) == "of")
        #expect(refusal(ImportRequest.Secret(token: token, prefix: "", lastFour: "6789")) == "last_four")
        #expect(refusal(ImportRequest.Secret()) == "digest")
    }

    @Test("times are imported, past expiries are accepted, future creations are refused")
    func times() throws {
        let (past, future) = (now.advanced(by: .seconds(-9)), now.advanced(by: .seconds(9)))
        let key = try checked(digest) {
            ($0.createdAt, $0.updatedAt, $0.deactivatedAt) = (past, now, past)
            $0.attributes.expiresAt = past
            $0.id = "0190163D-8694-739B-8B6E-C1E1B9F4A2D3"
        }
        #expect(key.createdAt == past && key.updatedAt == now && key.deactivatedAt == past && key.line == 7)
        #expect(key.id.description == "0190163d-8694-739b-8b6e-c1e1b9f4a2d3")
        #expect(key.entry.state == .deactivated && key.entry.version == 1)
        let plain = try checked(digest) { $0.createdAt = past }
        #expect(plain.updatedAt == past && plain.deactivatedAt == nil)
        #expect(try checked(digest).createdAt == now)
        #expect(refusal(digest) { $0.createdAt = future } == "created_at")
        #expect(refusal(digest) { $0.updatedAt = future } == "updated_at")
        #expect(refusal(digest) { $0.deactivatedAt = future } == "deactivated_at")
        #expect(refusal(digest) { $0.id = "7" } == "id")
        #expect(refusal(digest) { $0.attributes.name = " " } == "name")
        #expect(refusal(digest) { $0.attributes.scopes = ["a b"] } == "scopes")
    }

    @Test("the maximum lifetime applies unless the key is expired or deactivated")
    func lifetimes() throws {
        let hour = KeyLifetimes(longest: .seconds(3_600))
        #expect(refusal(digest, lifetimes: hour) == "expires_at")
        #expect(
            refusal(digest, lifetimes: hour) { $0.attributes.expiresAt = now.advanced(by: .seconds(3_601)) }
                == "expires_at")
        #expect(refusal(digest, lifetimes: hour) { $0.attributes.expiresAt = now.advanced(by: .seconds(60)) } == "none")
        #expect(refusal(digest, lifetimes: hour) { $0.attributes.expiresAt = now } == "none")
        #expect(refusal(digest, lifetimes: hour) { $0.deactivatedAt = now } == "none")
        #expect(try checked(digest, lifetimes: KeyLifetimes(standard: .seconds(60))).attributes.expiresAt == nil)
    }
}
