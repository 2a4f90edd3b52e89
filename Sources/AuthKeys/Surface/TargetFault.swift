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
    public init?(in target: some Sequence<UInt8>) {
        self.init(in: target) { $0 >= 0x80 }
    }

    /// Finds the first byte that is not allowed; nil when there is none.
    public init?(in target: some Sequence<UInt8>, where isRefused: (UInt8) -> Bool) {
        guard let (offset, byte) = target.enumerated().first(where: { isRefused($0.element) }) else { return nil }
        self.init(byte: byte, offset: offset)
    }

    /// The message, which needs no escaping in JSON.
    public var message: String {
        let hex = String(byte, radix: 16, uppercase: true)
        let digits = hex.utf8.count == 1 ? "0" + hex : hex
        return "the request target has the byte 0x\(digits) at offset \(offset): percent-encode it as %\(digits)"
    }
}
