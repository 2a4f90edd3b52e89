import NIOCore

/// A parser that follows the frames of a WebSocket (RFC 6455 section 5.2), to know when no frame is incomplete. It
/// reads headers only, and changes nothing.
struct WebSocketFrames {
    private enum State: Equatable {
        case between
        case opcode
        /// The number of bytes of the length and of the mask that are still missing, and the length so far.
        case header(lengthBytes: Int, maskBytes: Int, length: UInt64)
        case payload(UInt64)
        /// The bytes were not a valid frame, or a close frame was sent.
        case lost
    }

    private var state = State.between

    /// True if a frame may begin here. Within a message of several frames this is true between them, where control
    /// frames may occur.
    var isBetween: Bool { state == .between }

    mutating func follow(_ bytes: ByteBufferView) {
        var rest = bytes
        while let byte = rest.first {
            switch state {
            case .lost: return
            case .between:
                // After a close frame nothing may follow.
                state = byte & 0x0F == 0x8 ? .lost : .opcode
                rest = rest.dropFirst()
            case .opcode:
                let short = UInt64(byte & 0x7F)
                let lengthBytes = short == 126 ? 2 : short == 127 ? 8 : 0
                header(
                    lengthBytes: lengthBytes, maskBytes: byte & 0x80 == 0 ? 0 : 4, length: lengthBytes == 0 ? short : 0)
                rest = rest.dropFirst()
            case .header(let lengthBytes, let maskBytes, let length):
                if lengthBytes > 0 {
                    header(lengthBytes: lengthBytes - 1, maskBytes: maskBytes, length: length << 8 | UInt64(byte))
                } else {
                    header(lengthBytes: 0, maskBytes: maskBytes - 1, length: length)
                }
                rest = rest.dropFirst()
            case .payload(let left):
                let count = min(left, UInt64(rest.count))
                rest = rest.dropFirst(Int(count))
                state = left == count ? .between : .payload(left - count)
            }
        }
    }

    private mutating func header(lengthBytes: Int, maskBytes: Int, length: UInt64) {
        if lengthBytes > 0 || maskBytes > 0 {
            state = .header(lengthBytes: lengthBytes, maskBytes: maskBytes, length: length)
        } else {
            state = length == 0 ? .between : .payload(length)
        }
    }

    /// A reason for which the gateway ends a WebSocket (RFC 6455 section 7.4.1, and the IANA registry of close codes).
    enum CloseReason {
        case keyRevoked
        case makesRoom

        var frame: ByteBuffer {
            switch self {
            case .keyRevoked: close(1008, reason: "the API key is no longer active")
            case .makesRoom: close(1013, reason: "the connection was idle and is needed by others: try again")
            }
        }
    }

    /// A close frame of a server (section 5.5.1). The reason is cut at 123 bytes.
    static func close(_ code: UInt16, reason: String) -> ByteBuffer {
        let text = reason.utf8.prefix(123)
        var buffer = ByteBuffer()
        buffer.writeInteger(0x88 as UInt8)
        buffer.writeInteger(UInt8(text.count + 2))
        buffer.writeInteger(code)
        buffer.writeBytes(text)
        return buffer
    }
}
