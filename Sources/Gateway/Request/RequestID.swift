import AuthKeys
import Glibc
import NIOCore

/// The identifier of a request in logs and in `X-Request-Id` of both messages: 128 random bits in lower-case
/// hexadecimal.
struct RequestID: Hashable {
    let high: UInt64
    let low: UInt64

    static let textLength = 32

    @inline(__always)
    func write(to buffer: inout ByteBuffer) {
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.textLength) { target in
            for position in 0..<Self.textLength {
                let word = position < 16 ? high : low
                target[position] = Hex.digit(
                    UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * (position & 15))) & 0xF)
            }
            return Self.textLength
        }
    }
}

extension RequestID: CustomStringConvertible {
    var description: String {
        var buffer = ByteBuffer()
        write(to: &buffer)
        return String(buffer: buffer)
    }
}

/// A source of request identifiers that gets randomness from the system once in 256 times.
struct RequestIDSource {
    private var words: [UInt64] = Array(repeating: 0, count: 512)
    private var used = 512

    mutating func next() -> RequestID {
        if used == words.count { refill() }
        defer { used += 2 }
        return RequestID(high: words[used], low: words[used + 1])
    }

    private mutating func refill() {
        used = 0
        let filled = words.withUnsafeMutableBytes { bytes in
            stride(from: 0, to: bytes.count, by: 256).allSatisfy { start in
                getentropy(bytes.baseAddress.map { $0 + start }, 256) == 0
            }
        }
        guard !filled else { return }
        var random = SystemRandomNumberGenerator()
        for index in words.indices { words[index] = random.next() }
    }
}
