public import AuthKeys
import Glibc

/// The identifier of a request in logs and in `X-Request-Id`: 48 bits of the time in milliseconds since the Unix epoch,
/// then 80 random bits. Identifiers thus grow with time, so that the log finds a request without an index on them.
public struct RequestID: Hashable, Sendable {
    public let high: UInt64
    public let low: UInt64

    /// The length of the text, which is lower-case hexadecimal.
    public static let textLength = 32

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Creates the identifier of a request at a time before the year 10889.
    public init(at time: Timestamp, random: (UInt64, UInt64)) {
        high = UInt64(truncatingIfNeeded: time.microseconds / 1_000) << 16 | random.0 & 0xFFFF
        low = random.1
    }

    /// Creates the identifier of a request at a time before the year 10889, for callers without a `RequestIDSource`.
    public static func generate(at time: Timestamp = .now) -> RequestID {
        var random = SystemRandomNumberGenerator()
        return RequestID(at: time, random: (random.next(), random.next()))
    }

    /// Reads the text of an identifier; nil for any other text.
    public init?(_ text: some StringProtocol) {
        let digits = Array(text.utf8.prefix(Self.textLength + 1))
        guard digits.count == Self.textLength, let bytes = Hex.decode(digits) else { return nil }
        let words = bytes.withUnsafeBytes { bytes in
            (bytes.loadUnaligned(as: UInt64.self), bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }
        self.init(high: UInt64(bigEndian: words.0), low: UInt64(bigEndian: words.1))
    }

    /// The time of the request, to the millisecond.
    public var time: Timestamp { Timestamp(microseconds: Int64(high >> 16) * 1_000) }

    /// Writes the text into memory of `textLength` bytes. Each proxied request does this twice, so the digits are made
    /// here: `Hex.digit` is not inlined into another module.
    package func write(to text: UnsafeMutableRawBufferPointer) {
        for position in 0..<Self.textLength {
            let word = position < 16 ? high : low
            let digit = UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * (position & 15))) & 0xF
            text[position] = digit < 10 ? 0x30 + digit : 0x61 + digit - 10
        }
    }
}

extension RequestID: Comparable {
    /// Compares bytes, as PostgreSQL does.
    public static func < (left: RequestID, right: RequestID) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

extension RequestID: CustomStringConvertible {
    public var description: String {
        String(unsafeUninitializedCapacity: Self.textLength) { text in
            write(to: UnsafeMutableRawBufferPointer(text))
            return Self.textLength
        }
    }
}

/// A source of request identifiers that gets randomness from the system once in 256 times.
public struct RequestIDSource: Sendable {
    private var words: [UInt64] = Array(repeating: 0, count: 512)
    private var used = 512

    public init() {}

    public mutating func next(at time: Timestamp = .now) -> RequestID {
        if used == words.count { refill() }
        defer { used += 2 }
        return RequestID(at: time, random: (words[used], words[used + 1]))
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
