public import AuthKeys

/// The parser of an address in a field that proxies write.
public enum ClientAddress {
    /// The maximum size in bytes of an address with brackets, a port and blanks.
    private static let lengthLimit = 64

    /// Parses an address as proxies write it: some append a port, and enclose IPv6 addresses in brackets then.
    @inlinable
    public static func parse(_ text: some Sequence<UInt8>) -> IPAddress? {
        parse(Array(text)[...])
    }

    /// Not generic: without specialization, a step over a sequence costs 100 ns.
    @usableFromInline
    static func parse(_ text: ArraySlice<UInt8>) -> IPAddress? {
        let bytes = Array(trimmed(text).prefix(lengthLimit + 1))
        guard bytes.count <= lengthLimit else { return nil }
        if let address = IPAddress(utf8: bytes) { return address }
        if bytes.first == UInt8(ascii: "["), let end = bytes.firstIndex(of: UInt8(ascii: "]")) {
            return isPort(bytes[(end + 1)...]) ? IPAddress(utf8: bytes[1..<end]) : nil
        }
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), isPort(bytes[colon...]) else { return nil }
        return IPAddress(utf8: bytes[..<colon])
    }

    /// Returns true for an empty text, or a colon with digits.
    private static func isPort(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard let first = bytes.first else { return true }
        return first == UInt8(ascii: ":") && bytes.dropFirst().allSatisfy { (0x30...0x39).contains($0) }
    }

    /// Removes spaces and tabs at both ends (`OWS`, RFC 9110 section 5.6.3).
    private static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var text = text
        while let first = text.first, first == 0x20 || first == 0x09 { text.removeFirst() }
        while let last = text.last, last == 0x20 || last == 0x09 { text.removeLast() }
        return text
    }
}

/// The addresses that a request came through, as the connection and `X-Forwarded-For` name them, read from the nearest
/// one on.
///
/// A proxy appends to the field, so trusted addresses are at its end, and those that a client forged come before them.
/// At most `limit` addresses are read, and nothing before the first element that is not an address.
public struct ForwardedAddresses: Sendable {
    /// The maximum number of addresses that are read.
    public static let limit = 32

    /// The addresses, the nearest first.
    public private(set) var nearestFirst: [IPAddress] = []
    /// False if the field continues before the addresses that were read.
    private var isComplete = true

    /// Reads the values of `X-Forwarded-For`, in their order.
    /// - Parameter peer: the peer of the connection; nil if its address is unknown, and then no other address is
    ///   trusted either.
    @inlinable
    public init(_ values: [some Sequence<UInt8>], from peer: IPAddress?) {
        self.init(bytes: values.map { Array($0) }, from: peer)
    }

    /// Reads the values of `X-Forwarded-For`, in their order.
    @inlinable
    public init(_ values: [some Sequence<UInt8>]) {
        self.init(bytes: values.map { Array($0) })
    }

    @usableFromInline
    init(bytes values: [[UInt8]], from peer: IPAddress?) {
        guard let peer else {
            isComplete = false
            return
        }
        nearestFirst = [peer]
        read(values)
    }

    @usableFromInline
    init(bytes values: [[UInt8]]) {
        read(values)
    }

    /// Returns the address of the client: the nearest that is not a trusted proxy's, or else the farthest. Nil if
    /// unknown.
    public func client(before proxies: [IPNetwork]) -> IPAddress? {
        nearestFirst.first { address in !proxies.contains { $0.contains(address) } }
            ?? (isComplete ? nearestFirst.last : nil)
    }

    private mutating func read(_ values: [[UInt8]]) {
        isComplete = values.reversed().allSatisfy { read($0) }
    }

    /// Returns true if each element was an address and was read.
    private mutating func read(_ value: [UInt8]) -> Bool {
        var rest = value[...]
        while true {
            let comma = rest.lastIndex(of: UInt8(ascii: ","))
            let start = comma.map { rest.index(after: $0) } ?? rest.startIndex
            guard nearestFirst.count < Self.limit, let address = ClientAddress.parse(rest[start...]) else {
                return false
            }
            nearestFirst.append(address)
            guard let comma else { return true }
            rest = rest[..<comma]
        }
    }
}
