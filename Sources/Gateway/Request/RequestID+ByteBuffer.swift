import HTTPCredentials
import NIOCore

extension RequestID {
    func write(to buffer: inout ByteBuffer) {
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.textLength) { target in
            write(to: target)
            return Self.textLength
        }
    }
}
