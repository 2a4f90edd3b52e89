import HTTPCredentials
import NIOCore

extension RequestID {
    @inline(__always)
    func write(to buffer: inout ByteBuffer) {
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.textLength) { target in
            for position in 0..<Self.textLength { target[position] = digit(at: position) }
            return Self.textLength
        }
    }
}
