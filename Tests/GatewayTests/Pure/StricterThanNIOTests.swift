import NIOCore
import NIOEmbedded
import NIOHTTP1
import TestSupport
import Testing

@testable import Gateway

/// Every request that this parser accepts, SwiftNIO's accepts too, with equal bodies. So the gateway forwards no
/// request that a strict parser behind it reads differently.
@Suite("Strictness compared with SwiftNIO") struct StricterThanNIOTests {
    private static let limits = HeadLimits(headBytes: 32_768, targetBytes: 8_192, fieldCount: 100)

    private struct Seen: Equatable {
        var targets: [String] = []
        var bodies: [String] = []
    }

    /// The requests that this module's parsers find in the bytes; nil if they refuse them.
    private func ours(_ bytes: [UInt8]) -> Seen? {
        var seen = Seen()
        var input = ByteBuffer(bytes: bytes)
        var scanner = HeadScanner()
        do throws(HeadError) {
            while true {
                let end = try input.withHeadBytes { bytes throws(HeadError) in
                    try scanner.end(of: bytes, limits: Self.limits)
                }
                guard let end, let headBytes = input.readSlice(length: end) else {
                    return input.readableBytes == 0 && !seen.targets.isEmpty ? seen : nil
                }
                var head = RequestHead()
                try headBytes.withHeadBytes { bytes throws(HeadError) in try head.read(bytes, limits: Self.limits) }
                // NIO knows a fixed list of methods; in RFC 9110 section 9.1 any token is one.
                guard ["GET", "POST", "PUT"].contains(headBytes.text(head.methodText)) else { return nil }
                var body = ""
                var decoder = BodyDecoder(head.framing)
                reading: while true {
                    switch try decoder.next(&input) {
                    case .piece(let piece): body += String(buffer: piece)
                    case .end: break reading
                    case .needsMore: return nil
                    }
                }
                seen.targets.append(headBytes.text(head.path))
                seen.bodies.append(body)
            }
        } catch {
            return nil
        }
    }

    /// The requests that NIO's decoder finds in the bytes; nil if it refuses them.
    private func nios(_ bytes: [UInt8]) -> Seen? {
        let channel = EmbeddedChannel(handler: ByteToMessageHandler(HTTPRequestDecoder()))
        defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
        guard (try? channel.writeInbound(ByteBuffer(bytes: bytes))) != nil else { return nil }
        var seen = Seen()
        var body = ""
        while let part = try? channel.readInbound(as: HTTPServerRequestPart.self) {
            switch part {
            case .head(let head):
                seen.targets.append(head.uri)
                body = ""
            case .body(let piece): body += String(buffer: piece)
            case .end: seen.bodies.append(body)
            }
        }
        return seen
    }

    private static let seeds = [
        "GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /c HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /e HTTP/1.1\r\nHost: a\r\n\r\n",
        "PUT /f HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n0\r\nT: 1\r\n\r\n",
        "GET /g HTTP/1.0\r\nConnection: keep-alive\r\nX-A: b\tc\r\n\r\n",
    ]

    @Test("both read valid requests equally") func validRequests() throws {
        for seed in Self.seeds {
            let seen = try #require(ours(Array(seed.utf8)), "\(seed)")
            #expect(seen == nios(Array(seed.utf8)))
        }
    }

    @Test("a damaged request is either refused or read as NIO reads it", arguments: 0..<8)
    func damagedRequests(_ round: UInt64) {
        var random = SeededRandom(state: round &* 0x9E37_79B9 &+ 1)
        let spice: [[UInt8]] = [
            [0x0A], [0x0D], [0x0D, 0x0A], [0x20], [0x09], [0x00], [0x3A], [0x2C], [0x30], [0x0B], [0x7F], [0x80],
            [0x3B],
            Array("Content-Length: 3\r\n".utf8), Array("Transfer-Encoding: chunked\r\n".utf8), Array("0\r\n\r\n".utf8),
            Array("\r\n\r\n".utf8), Array(" HTTP/1.1".utf8),
        ]
        for _ in 0..<1_500 {
            var bytes = Array(Self.seeds[Int(random.next() % UInt64(Self.seeds.count))].utf8)
            for _ in 0...(random.next() % 2) {
                let place = Int(random.next() % UInt64(bytes.count))
                switch random.next() % 3 {
                case 0: bytes.remove(at: place)
                case 1: bytes.insert(contentsOf: spice[Int(random.next() % UInt64(spice.count))], at: place)
                default: bytes.replaceSubrange(place...place, with: spice[Int(random.next() % UInt64(spice.count))])
                }
            }
            guard let seen = ours(bytes) else { continue }
            let other = nios(bytes)
            #expect(seen == other, "\(String(decoding: bytes, as: UTF8.self).debugDescription)")
        }
    }
}
