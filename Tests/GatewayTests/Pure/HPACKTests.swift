import AuthKeys
import NIOCore
import NIOHPACK
import TestSupport
import Testing

@testable import Gateway

/// HPACK (RFC 7541), decoded and encoded as bytes.
@Suite("HPACK") struct HPACKTests {
    private static let limit = 1 << 20

    private func block(_ hex: String) -> ByteBuffer {
        ByteBuffer(bytes: Hex.decode(Array(hex.filter { !$0.isWhitespace }.utf8)) ?? [])
    }

    private func fields(_ result: Result<FieldSection, HeadError>) throws -> [String] {
        var fields: [String] = []
        try result.get().forEachField { name, value in
            fields.append(String(decoding: name, as: UTF8.self) + ": " + String(decoding: value, as: UTF8.self))
        }
        return fields
    }

    private func read(_ hex: String) throws(HTTP2ConnectionError) -> Result<FieldSection, HeadError> {
        var reader = HPACKReader(sectionLimit: Self.limit)
        return try reader.read(block(hex))
    }

    @Test("the examples of RFC 7541 appendix C.4 are decoded")
    func examples() throws {
        var reader = HPACKReader(sectionLimit: Self.limit)
        let common = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"]
        #expect(try fields(reader.read(block("828684418cf1e3c2e5f23a6ba0ab90f4ff"))) == common)
        #expect(try fields(reader.read(block("828684be5886a8eb10649cbf"))) == common + ["cache-control: no-cache"])
        #expect(
            try fields(reader.read(block("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf"))) == [
                ":method: GET", ":scheme: https", ":path: /index.html", ":authority: www.example.com",
                "custom-key: custom-value",
            ])
    }

    @Test("each byte survives the Huffman code")
    func huffman() {
        let all = (0...255).map { UInt8($0) }
        var code = ByteBuffer()
        all.withUnsafeBytes { HPACKHuffman.encode($0, to: &code) }
        #expect(all.withUnsafeBytes { HPACKHuffman.length(of: $0) } == code.readableBytes)
        var decoded: [UInt8] = []
        let isValid = code.withUnsafeReadableBytes { HPACKHuffman.decode($0, to: &decoded) }
        #expect(isValid)
        #expect(decoded == all)
    }

    @Test(
        "padding is shorter than a byte and all ones",
        arguments: [
            ([0x1F], true), ([0x18], false), ([0x1E], false), ([0x1F, 0xFF], false), ([0xFF], false), ([], true),
            // The end-of-string symbol, complete.
            ([0x1F, 0xFF, 0xFF, 0xFF, 0xFC], false), ([0xFF, 0xFF, 0xFF, 0xFF], false),
        ])
    func padding(_ code: [UInt8], _ isValid: Bool) {
        var decoded: [UInt8] = []
        let result = code.withUnsafeBytes { HPACKHuffman.decode($0, to: &decoded) }
        #expect(result == isValid)
    }

    @Test(
        "an invalid block ends the connection",
        arguments: [
            "80", "ff00", "be", "ff80808080808080808001", "c0", "00", "0001", "000161", "00016102", "0001617f", "40",
            "0000ffffffff7f", "82 20", "3fe21f", "7f", "0f", "008161", "0001618118",
        ])
    func invalid(_ hex: String) {
        #expect(throws: HTTP2ConnectionError.compressionError) { _ = try read(hex) }
    }

    @Test("blocks of another encoder are decoded, and another decoder decodes the gateway's blocks")
    func differential() throws {
        var random = SeededRandom(state: 11)
        var encoder = HPACKEncoder(allocator: ByteBufferAllocator())
        var reader = HPACKReader(sectionLimit: Self.limit)
        var writer = HPACKWriter()
        var decoder = HPACKDecoder(
            allocator: ByteBufferAllocator(), maxDynamicTableSize: 4_096, maxHeaderListSize: Self.limit)
        let names = ["x-a", "x-b", "date", "set-cookie", "content-type", "server", "x-long", "authorization"]
        for _ in 0..<2_000 {
            var headers = HPACKHeaders()
            var section = FieldSection()
            for _ in 0..<Int.random(in: 1...12, using: &random) {
                let name = names.randomElement(using: &random) ?? ""
                let length = Int.random(in: 0...(name == "x-long" ? 5_000 : 40), using: &random)
                let letter = Character(UnicodeScalar(UInt8.random(in: 0x61...0x64, using: &random)))
                let value = String(repeating: letter, count: length)
                headers.add(name: name, value: value)
                section.append(name.utf8, value.utf8)
            }
            var coded = ByteBuffer()
            try encoder.encode(headers: headers, to: &coded)
            let expected = headers.map { "\($0.name): \($0.value)" }
            try #require(try fields(reader.read(coded)) == expected)
            if Int.random(in: 0..<500, using: &random) == 0 { writer.limitTable(to: 1_000) }
            var written = ByteBuffer()
            writer.write(section, to: &written)
            try #require(try decoder.decodeHeaders(from: &written).map { "\($0.name): \($0.value)" } == expected)
        }
    }

    @Test("a refused section leaves the table in step")
    func inStep() throws {
        var reader = HPACKReader(sectionLimit: 100)
        // `X: 1`, whose name is not in lower case, then `x-a: b`; both go into the table.
        #expect(throws: HeadError.malformed) { try reader.read(block("40 01 58 01 31  40 03 782d61 01 62")).get() }
        #expect(try fields(reader.read(block("be"))) == ["x-a: b"])
        #expect(throws: HeadError.malformed) { try reader.read(block("bf")).get() }
        // Fields beyond the limit; the last goes into the table.
        #expect(throws: HeadError.tooLarge) { try reader.read(block("be be be 40 01 79 01 7a")).get() }
        #expect(try fields(reader.read(block("be"))) == ["y: z"])
    }

    @Test(
        "names and values are checked as bytes",
        arguments: [
            ("", "a"), ("A", "a"), ("a b", "a"), ("é", "a"), (":x", "a"), (":", "a"), (":path\u{300}", "a"),
            ("a\u{300}", "a"), ("a", "\n"), ("a", "\r"), ("a", "\0"), ("a", "\u{7F}"), ("a", "\u{1F}"),
            ("a", " b"), ("a", "b\t"),
        ])
    func refused(_ name: String, _ value: String) {
        var builder = FieldSection.Builder(limit: Self.limit)
        builder.append(Array(name.utf8) + Array(value.utf8), nameLength: name.utf8.count)
        #expect(throws: HeadError.malformed) { try builder.result.get() }
    }

    @Test("pseudo-headers come first")
    func order() {
        var builder = FieldSection.Builder(limit: Self.limit)
        builder.append(Array("a1".utf8), nameLength: 1)
        builder.append(Array(":path/".utf8), nameLength: 5)
        #expect(throws: HeadError.malformed) { try builder.result.get() }
    }

    @Test("a block that repeats a large entry costs no more than its bytes")
    func bomb() throws {
        var reader = HPACKReader(sectionLimit: 40_000)
        var first = ByteBuffer()
        HPACKWriter.write(0, prefix: 6, pattern: 0x40, to: &first)
        HPACKWriter.write(1, prefix: 7, pattern: 0, to: &first)
        first.writeString("a")
        HPACKWriter.write(4_000, prefix: 7, pattern: 0, to: &first)
        first.writeRepeatingByte(0x61, count: 4_000)
        _ = try reader.read(first).get()
        let bomb = ByteBuffer(repeating: 0xBE, count: 60_000)
        let began = threadSeconds()
        #expect(throws: HTTP2ConnectionError.enhanceYourCalm) { try reader.read(bomb).get() }
        // Otherwise, 240 MB would be copied.
        #expect(threadSeconds() - began < 0.5)
    }

    @Test("a section crosses the library byte for byte")
    func carried() throws {
        var section = FieldSection()
        let bytes = (0...255).map { UInt8($0) }.filter(ByteClass.isFieldContent)
        section.append("x-all".utf8, bytes)
        section.append("x-empty".utf8, [UInt8]())
        var block = CarriedSection.write(.success(section), isTrailers: false)
        var decoder = HPACKDecoder(allocator: ByteBufferAllocator())
        var found: [[UInt8]] = []
        try CarriedSection.read(decoder.decodeHeaders(from: &block)).forEachField { found += [Array($0), Array($1)] }
        #expect(found == [Array("x-all".utf8), bytes, Array("x-empty".utf8), []])
        for error in [HeadError.malformed, .tooLarge] {
            var refused = CarriedSection.write(.failure(error), isTrailers: true)
            let headers = try decoder.decodeHeaders(from: &refused)
            #expect(throws: error) { _ = try CarriedSection.read(headers) }
        }
    }
}
