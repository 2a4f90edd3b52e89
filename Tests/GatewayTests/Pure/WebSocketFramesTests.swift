import NIOCore
import Testing

@testable import Gateway

@Suite("WebSocket frames") struct WebSocketFramesTests {
    private static let frames: [[UInt8]] = [
        [0x81, 0x02, 0x68, 0x69],
        [0x01, 0x00],
        [0x82, 0x7E, 0x00, 0x80] + [UInt8](repeating: 7, count: 128),
        [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0] + [UInt8](repeating: 8, count: 65_536),
        [0x89, 0x81, 1, 2, 3, 4, 0x00],
        [0x8A, 0x80, 1, 2, 3, 4],
    ]

    @Test("the position is between frames exactly at the end of each frame, for every read size") func positions() {
        let bytes = Self.frames.flatMap(\.self)
        var ends: Set<Int> = [0]
        for frame in Self.frames { ends.insert((ends.max() ?? 0) + frame.count) }
        for step in [1, 3, 7, 1_000, bytes.count] {
            var frames = WebSocketFrames()
            var position = 0
            while position < bytes.count {
                #expect(frames.isBetween == ends.contains(position))
                let end = min(position + step, bytes.count)
                frames.follow(ByteBuffer(bytes: bytes[position..<end]).readableBytesView)
                position = end
            }
            #expect(frames.isBetween)
        }
    }

    @Test("after a close frame, no frame may begin") func closeFrame() {
        var frames = WebSocketFrames()
        frames.follow(WebSocketFrames.close(1000, reason: "bye").readableBytesView)
        #expect(!frames.isBetween)
    }

    @Test("a close frame is valid, with its reason cut to fit") func closeReason() {
        let frame = WebSocketFrames.close(1008, reason: String(repeating: "x", count: 200))
        let bytes = Array(frame.readableBytesView)
        #expect(bytes.count == 127)
        #expect(Array(bytes[..<4]) == [0x88, 125, 0x03, 0xF0])
    }
}
