import NIOCore
import Testing

@testable import Gateway

/// The frames of a client's bytes (RFC 9113 section 4.1).
@Suite("HTTP/2 frame reader") struct HTTP2FrameReaderTests {
    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    private func frame(_ kind: UInt8, _ flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []) -> [UInt8] {
        http2Frame(kind, flags: flags, stream: stream, payload)
    }

    /// Returns the bytes that are passed on and the blocks of field sections, for input that arrives in chunks of
    /// `pieces` bytes.
    private func read(
        _ bytes: [UInt8], pieces: Int = .max, limit: Int = 40_000
    ) throws(HTTP2ConnectionError) -> (passed: [UInt8], blocks: [[UInt8]]) {
        var reader = HTTP2FrameReader(blockLimit: limit)
        var (passed, blocks): ([UInt8], [[UInt8]]) = ([], [])
        for start in stride(from: 0, to: bytes.count, by: min(pieces, bytes.count)) {
            reader.append(ByteBuffer(bytes: bytes[start..<min(start + min(pieces, bytes.count), bytes.count)]))
            while let step = try reader.next() {
                switch step {
                case .rest(let bytes), .frame(_, let bytes): passed += bytes.readableBytesView
                case .continued: break
                case .section(_, let block): blocks.append(Array(block.readableBytesView))
                }
            }
            reader.discardRead()
        }
        return (passed, blocks)
    }

    @Test("frames are read equally for every read size", arguments: [1, 2, 7, 100, .max])
    func pieces(_ size: Int) throws {
        let data = frame(0, 1, stream: 1, Array(repeating: 7, count: 300))
        let settings = frame(4, 0, [0, 1, 0, 0, 0, 0])
        let odd = frame(0xAB, 0xFF, stream: 9, [1, 2, 3])
        let headers =
            frame(1, 0x08 | 0x20, stream: 1, [2, 0, 0, 0, 0, 9, 0x82, 0x84, 0, 0]) + frame(9, 0, stream: 1, [0x87])
            + frame(9, 4, stream: 1, [])
        let result = try read(Self.preface + settings + headers + data + odd, pieces: size)
        #expect(result.passed == Self.preface + settings + data + odd)
        #expect(result.blocks == [[0x82, 0x84, 0x87]])
    }

    @Test("invalid framing ends the connection")
    func invalid() {
        let headers = frame(1, 0, stream: 1, [0x82])
        let cases: [([UInt8], HTTP2ConnectionError)] = [
            (Array("GET / HTTP/1.1\r\n".utf8), .protocolError),
            (Self.preface + frame(9, 4, stream: 1), .protocolError),
            (Self.preface + headers + frame(0, 0, stream: 1), .protocolError),
            (Self.preface + headers + headers, .protocolError),
            (Self.preface + headers + frame(9, 4, stream: 3), .protocolError),
            (Self.preface + frame(1, 4, stream: 0), .protocolError),
            (Self.preface + frame(1, 0x0C, stream: 1, [9, 0x82]), .protocolError),
            (Self.preface + frame(1, 0x0C, stream: 1), .frameSizeError),
            (Self.preface + frame(1, 0x24, stream: 1, [0, 0]), .frameSizeError),
            (Self.preface + [0, 0x40, 1, 0, 0, 0, 0, 0, 1], .frameSizeError),
            (Self.preface + headers + (0..<40).flatMap { _ in frame(9, 0, stream: 1) }, .enhanceYourCalm),
        ]
        for (bytes, error) in cases {
            #expect(throws: error, "\(bytes.dropFirst(24).prefix(40))") { _ = try read(bytes) }
        }
        let wide = Self.preface + headers + frame(9, 4, stream: 1, Array(repeating: 0x82, count: 1_000))
        #expect(throws: HTTP2ConnectionError.enhanceYourCalm) { _ = try read(wide, limit: 1_000) }
    }

    @Test("time, requests and sent data pay for frames without a request")
    func budget() {
        let start = NIODeadline.now()
        var budget = FrameBudget(now: start)
        let update = HTTP2FrameHeader(.windowUpdate, length: 4)
        let paid = (0...FrameBudget.burst).map { _ in budget.pay(for: update, now: start) }
        #expect(paid.dropLast().allSatisfy { $0 } && paid.last == false)
        let later = [update, HTTP2FrameHeader(.data, stream: 1, length: 0)].map {
            budget.pay(for: $0, now: start + .seconds(1))
        }
        #expect(later == [true, true])
        // A client that acknowledges each 4 KiB twice is never cut off.
        var busy = FrameBudget(now: start)
        let goesOn = (0..<100_000).allSatisfy { _ in
            busy.sent(bytes: 4_096)
            return busy.pay(for: update, now: start) && busy.pay(for: update, now: start)
        }
        #expect(goesOn)
        // SETTINGS frames cost by their number of settings.
        var settings = FrameBudget(now: start)
        let many = HTTP2FrameHeader(.settings, length: 16_380)
        let isPaid = settings.pay(for: many, now: start)
        #expect(!isPaid)
    }
}
