import NIOCore
import Testing

@testable import Gateway

@Suite("Body decoder") struct BodyDecoderTests {
    /// Feeds text in chunks of a given size. Returns the body and the bytes after it, or nil if the body is incomplete.
    private func decode(_ text: String, _ framing: Framing, pieceSize: Int) throws -> (body: String, rest: String)? {
        var decoder = BodyDecoder(framing)
        var input = ByteBuffer()
        var body = ""
        var bytes = Array(text.utf8)[...]
        while true {
            let piece = bytes.prefix(pieceSize)
            bytes = bytes.dropFirst(pieceSize)
            input.writeBytes(piece)
            feeding: while true {
                switch try decoder.next(&input) {
                case .piece(let piece): body += String(buffer: piece)
                case .end: return (body, String(buffer: input) + String(decoding: bytes, as: UTF8.self))
                case .needsMore: break feeding
                }
            }
            if bytes.isEmpty { return nil }
        }
    }

    @Test("a chunked body is decoded equally for every read size", arguments: 1...9)
    func readSizes(_ size: Int) throws {
        let text = "5\r\nhello\r\n7;ext=\"a b\"\r\n, world\r\n0\r\nX-T: 1\r\n\r\nNEXT"
        let result = try #require(try decode(text, .chunked, pieceSize: size))
        #expect(result.body == "hello, world")
        #expect(result.rest == "NEXT")
    }

    @Test("a body with a length ends after that length") func length() throws {
        let result = try #require(try decode("helloNEXT", .length(5), pieceSize: 100))
        #expect(result.body == "hello")
        #expect(result.rest == "NEXT")
    }

    @Test(
        "ambiguous chunking is refused",
        arguments: [
            "5\nhello\r\n0\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n",
            "+5\r\nhello\r\n0\r\n\r\n",
            "5 \r\nhello\r\n0\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n", "\r\nhello\r\n0\r\n\r\n", ";a\r\n", "-1\r\n",
            "g\r\n",
            "fffffffffffffffff\r\n", "0\r\nX : 1\r\n\r\n", "0\r\nX: 1\n\r\n", "0\r\n folded\r\n\r\n",
            "5;a\u{0}\r\nhello\r\n0\r\n\r\n",
            "5;\r\nhello\r\n0\r\n\r\n", "5;a=\r\nhello\r\n0\r\n\r\n", "5;a=\"b\r\nhello\r\n0\r\n\r\n",
            "0\r\nContent-Length: 1\r\n\r\n", "0\r\nTransfer-Encoding: chunked\r\n\r\n", "5;a\rb\r\nhello\r\n0\r\n\r\n",
        ])
    func ambiguous(_ text: String) {
        #expect(throws: HeadError.malformed) { try decode(text, .chunked, pieceSize: 1_000) }
        #expect(throws: HeadError.malformed) { try decode(text, .chunked, pieceSize: 1) }
    }

    @Test("a chunk-size line and trailers have a limit") func limits() {
        let long = String(repeating: "a", count: 10_000)
        #expect(throws: HeadError.malformed) { try decode("5;" + long, .chunked, pieceSize: 64) }
        #expect(throws: HeadError.malformed) { try decode("0\r\nX: " + long, .chunked, pieceSize: 64) }
        let many = String(repeating: "X: 1\r\n", count: 2_000)
        #expect(throws: HeadError.malformed) { try decode("0\r\n" + many, .chunked, pieceSize: 64) }
    }

    @Test("only a body without a length or chunks ends with the connection") func endOfConnection() {
        #expect(BodyDecoder(.untilClose).endsWithConnection)
        #expect(BodyDecoder(.none).endsWithConnection)
        #expect(!BodyDecoder(.length(3)).endsWithConnection)
        #expect(!BodyDecoder(.chunked).endsWithConnection)
    }
}
