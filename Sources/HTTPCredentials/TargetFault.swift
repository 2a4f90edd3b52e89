import AuthKeys

/// A byte that no request target may contain (RFC 9112 section 3.2, RFC 3986 section 2), with the remedy.
public struct TargetFault: Error, Equatable, Sendable {
    public let byte: UInt8
    /// In bytes from the start of the target.
    public let offset: Int

    public init(byte: UInt8, offset: Int) {
        self.byte = byte
        self.offset = offset
    }

    /// Finds the first byte outside ASCII; nil when there is none.
    @inlinable
    public init?(in target: some Sequence<UInt8>) {
        self.init(bytes: Array(target)) { $0 >= 0x80 }
    }

    /// Finds the first byte that is not allowed; nil when there is none.
    @inlinable
    public init?(in target: some Sequence<UInt8>, where isRefused: (UInt8) -> Bool) {
        self.init(bytes: Array(target), where: isRefused)
    }

    /// Not generic: without specialization, a step over a sequence costs 100 ns.
    @usableFromInline
    init?(bytes: [UInt8], where isRefused: (UInt8) -> Bool) {
        guard let offset = bytes.firstIndex(where: isRefused) else { return nil }
        self.init(byte: bytes[offset], offset: offset)
    }

    /// The message, which needs no escaping in JSON.
    public var message: String {
        let digits = Hex.text([byte], isUppercase: true)
        return "the request target has the byte 0x\(digits) at offset \(offset): percent-encode it as %\(digits)"
    }
}
