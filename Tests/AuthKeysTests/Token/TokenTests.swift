import Testing

@testable import AuthKeys

@Suite("Tokens")
struct TokenTests {
    private func isWellFormed(_ text: String) -> Bool {
        Array(text.utf8).withUnsafeBytes { TokenFormat.isWellFormed($0) }
    }

    @Test("a generated token matches the published expression and is well formed")
    func publishedShape() throws {
        let shape = try Regex(#"^[a-z0-9_]{1,24}_[0-9A-Za-z]{49}$"#)
        for prefix in ["kw", "a", "acme_live", String(repeating: "x", count: 24)] {
            let token = Token.generate(prefix: try #require(TokenPrefix(prefix)))
            #expect(try shape.wholeMatch(in: token.value) != nil)
            #expect(isWellFormed(token.value))
            #expect(token.value.hasSuffix(token.lastFour))
            #expect(token.value.hasPrefix(prefix + "_"))
        }
    }

    @Test("the checksum is the CRC-32 of IEEE 802.3")
    func checkValue() {
        #expect(Array("123456789".utf8).withUnsafeBytes { CRC32.checksum($0) } == 0xCBF4_3926)
        #expect(Array("".utf8).withUnsafeBytes { CRC32.checksum($0) } == 0)
    }

    @Test("the checksum by byte equals that by word, at every length", arguments: 0...80)
    func checksumByTheByte(_ length: Int) {
        let bytes = (0..<length).map { _ in UInt8.random(in: 0...255) }
        let expected = bytes.reduce(UInt32.max) { crc, byte in
            (0..<8).reduce(crc ^ UInt32(byte)) { crc, _ in crc & 1 == 0 ? crc >> 1 : crc >> 1 ^ 0xEDB8_8320 }
        }
        #expect(bytes.withUnsafeBytes { CRC32.checksum($0) } == ~expected, "\(bytes)")
    }

    @Test("the digest is SHA-256 of the whole token")
    func digest() {
        let digest = Array("abc".utf8).withUnsafeBytes { SecretDigest(hashing: $0) }
        #expect(Hex.text(digest.bytes) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        let token = Token.generate()
        #expect(token.digest == Array(token.value.utf8).withUnsafeBytes { SecretDigest(hashing: $0) })
    }

    @Test("base 62 has a fixed width and round-trips")
    func base62() {
        #expect(String(decoding: Base62.encode([0, 0, 0, 0], width: 6), as: UTF8.self) == "000000")
        #expect(String(decoding: Base62.encode([0, 0, 0, 61], width: 2), as: UTF8.self) == "0z")
        #expect(String(decoding: Base62.encode([0, 62], width: 2), as: UTF8.self) == "10")
        for value: UInt32 in [0, 1, 61, 62, 123_456_789, .max] {
            let digits = Base62.encode(withUnsafeBytes(of: value.bigEndian) { Array($0) }, width: 6)
            #expect(digits.withUnsafeBytes { Base62.decodeUInt32($0) } == value)
        }
        #expect(Array("zzzzzz".utf8).withUnsafeBytes { Base62.decodeUInt32($0) } == nil)
        let largest = Base62.encode([UInt8](repeating: 0xFF, count: 32), width: 43)
        #expect(largest.first != Base62.alphabet[0])
    }

    @Test("a token with one altered, added or missing character is malformed")
    func oneCharacter() {
        let value = Token.generate(prefix: .standard).value
        let characters = Array(value)
        for position in characters.indices {
            for replacement in ["0", "A", "z", "_", "-", " ", "é", "\0"]
            where String(characters[position]) != replacement {
                var altered = characters
                altered[position] = Character(replacement)
                #expect(!isWellFormed(String(altered)), "position \(position)")
            }
            var shortened = characters
            shortened.remove(at: position)
            #expect(!isWellFormed(String(shortened)))
        }
        #expect(!isWellFormed(value + "0"))
        #expect(!isWellFormed(" " + value))
        #expect(!isWellFormed(""))
        #expect(!isWellFormed("_"))
        #expect(!isWellFormed(String(repeating: "A", count: 10_000)))
    }

    @Test("characters outside the alphabet are refused despite a valid checksum", arguments: [0, 20, 42])
    func foreignCharacters(position: Int) {
        for foreign in [UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: "@"), UInt8(ascii: "["), 0, 0xFF] {
            var bytes = Array("kw_".utf8) + [UInt8](repeating: UInt8(ascii: "q"), count: 43)
            bytes[3 + position] = foreign
            let checksum = bytes.withUnsafeBytes { CRC32.checksum($0) }
            bytes += Base62.encode(withUnsafeBytes(of: checksum.bigEndian) { Array($0) }, width: 6)
            #expect(!bytes.withUnsafeBytes { TokenFormat.isWellFormed($0) })
        }
    }

    @Test("prefixes are validated")
    func prefixes() {
        for good in ["a", "kw", "a_b", "0", "acme_live_2", String(repeating: "a", count: 24)] {
            #expect(TokenPrefix(good)?.description == good)
        }
        for bad in ["", "_a", "a_", "_", "A", "a-b", "a b", "é", "a\0", String(repeating: "a", count: 25)] {
            #expect(TokenPrefix(bad) == nil)
        }
    }

    @Test("tokens and digests are redacted when printed")
    func printing() {
        let token = Token.generate()
        for text in ["\(token)", String(reflecting: token), "\(Mirror(reflecting: token).children.map { "\($0)" })"] {
            #expect(!text.contains(token.value))
        }
        #expect("\(token.digest)" == "SecretDigest(redacted)")
        var dumped = ""
        dump(token, to: &dumped)
        #expect(!dumped.contains(token.value))
    }

    @Test("tokens do not repeat")
    func randomness() {
        #expect(Set((0..<10_000).map { _ in Token.generate().value }).count == 10_000)
    }
}
