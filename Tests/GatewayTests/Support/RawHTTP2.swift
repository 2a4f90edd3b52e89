import Glibc
import NIOCore
import TestSupport

@testable import Gateway

/// A frame as bytes (RFC 9113 section 4.1).
func http2Frame(_ kind: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []) -> [UInt8] {
    var out = ByteBuffer()
    HTTP2FrameHeader(
        .init(rawValue: kind), flags: .init(rawValue: flags), stream: stream, length: payload.count
    ).write(to: &out)
    return Array(out.readableBytesView) + payload
}

/// The block of a section, each field as a literal, byte for byte (RFC 7541 section 6.2.2).
func hpackBlock(_ fields: [([UInt8], [UInt8])]) -> [UInt8] {
    var out = ByteBuffer()
    for (name, value) in fields {
        out.writeInteger(UInt8(0))
        for text in [name, value] {
            HPACKWriter.write(text.count, prefix: 7, pattern: 0, to: &out)
            out.writeBytes(text)
        }
    }
    return Array(out.readableBytesView)
}

/// The CPU time of this thread, in seconds.
func threadSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// An HTTP/2 client over TLS that sends raw frames and stores received ones.
struct RawHTTP2 {
    struct Frame {
        let header: HTTP2FrameHeader
        let payload: [UInt8]
    }

    /// A response decoded from its frames, with names and values in ISO 8859-1.
    struct Response {
        var fields: [String] = []
        var body = ""
        /// The error code of RST_STREAM.
        var reset: UInt32?
        var hasEnded = false
    }

    let connection: RawConnection

    static func connect(port: Int) async throws -> RawHTTP2 {
        let connection = try await connectTLS(port: port, protocols: ["h2"])
        try await connection.send(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + http2Frame(4))
        return RawHTTP2(connection: connection)
    }

    func send(_ frames: [UInt8]...) async throws {
        try await connection.send(frames.flatMap(\.self))
    }

    func close() async {
        await connection.close()
    }

    var frames: [Frame] {
        var bytes = ByteBuffer(bytes: connection.bytes)
        var frames: [Frame] = []
        while let header = HTTP2FrameHeader(peeking: bytes),
            bytes.readableBytes >= HTTP2FrameHeader.size + header.length
        {
            bytes.moveReaderIndex(forwardBy: HTTP2FrameHeader.size)
            frames.append(Frame(header: header, payload: bytes.readBytes(length: header.length) ?? []))
        }
        return frames
    }

    /// The error code of GOAWAY.
    var goAway: UInt32? {
        frames.last { $0.header.kind == .goAway }
            .map { $0.payload[4..<8].reduce(0) { $0 << 8 | UInt32($1) } }
    }

    /// The responses so far, by stream.
    func responses() throws -> [UInt32: Response] {
        var reader = HPACKReader(sectionLimit: 1 << 20)
        var block = ByteBuffer()
        var responses: [UInt32: Response] = [:]
        for frame in frames where frame.header.stream != 0 {
            var response = responses[frame.header.stream] ?? Response()
            switch frame.header.kind {
            case .headers, .continuation:
                block.writeBytes(frame.payload)
                guard frame.header.flags.contains(.endHeaders) else { break }
                try reader.read(block).get().forEachField { name, value in
                    response.fields.append(String(latin1: Array(name)) + ": " + String(latin1: Array(value)))
                }
                block.clear()
            case .data: response.body += String(decoding: frame.payload, as: UTF8.self)
            case .reset: response.reset = frame.payload.reduce(0) { $0 << 8 | UInt32($1) }
            default: break
            }
            let mayEnd = frame.header.kind == .headers || frame.header.kind == .data
            if mayEnd, frame.header.flags.contains(.endStream) { response.hasEnded = true }
            responses[frame.header.stream] = response
        }
        return responses
    }

    /// Waits until a stream has ended or was reset.
    func response(_ stream: UInt32) async throws -> Response {
        try await eventually("the end of stream \(stream)") {
            let response = try responses()[stream]
            return response?.hasEnded ?? false || response?.reset != nil
        }
        return try responses()[stream] ?? Response()
    }
}
