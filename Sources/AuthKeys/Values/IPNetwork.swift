import Glibc

/// An IP address, version 4 or 6. An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`) is the IPv4 address.
public struct IPAddress: Sendable, Hashable {
    /// The address as a number; version 4 in the last 32 bits.
    package let high: UInt64
    package let low: UInt64
    package let isV4: Bool

    var width: Int { isV4 ? 32 : 128 }

    /// The length of the longest notation, an IPv6 address that ends with an IPv4 address.
    static let lengthLimit = 45

    /// The 4 or 16 bytes, in network order.
    public var bytes: [UInt8] {
        let all = withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { Array($0) }
        return isV4 ? Array(all.suffix(4)) : all
    }

    /// Parses the usual notations (RFC 4291 section 2.2 for version 6), without zone, brackets or port.
    public init?(_ text: some StringProtocol) {
        self.init(utf8: text.utf8)
    }

    /// Parses the same notations as bytes.
    public init?(utf8 bytes: some Collection<UInt8>) {
        // `inet_pton` stops at a NUL.
        guard bytes.count <= Self.lengthLimit, !bytes.contains(0) else { return nil }
        let text = bytes.map { CChar(bitPattern: $0) } + [0]
        var v4 = in_addr()
        if inet_pton(AF_INET, text, &v4) == 1 {
            self.init(v4: UInt32(bigEndian: v4.s_addr))
            return
        }
        var v6 = in6_addr()
        guard inet_pton(AF_INET6, text, &v6) == 1 else { return nil }
        let words = withUnsafeBytes(of: v6) { bytes in
            (
                UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
        if words.0 == 0, words.1 >> 32 == 0xFFFF {
            self.init(v4: UInt32(truncatingIfNeeded: words.1))
        } else {
            self.init(high: words.0, low: words.1, isV4: false)
        }
    }

    private init(v4: UInt32) {
        self.init(high: 0, low: UInt64(v4), isV4: true)
    }

    package init(high: UInt64, low: UInt64, isV4: Bool) {
        self.high = high
        self.low = low
        self.isV4 = isV4
    }
}

extension IPAddress: CustomStringConvertible {
    public var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = isV4 ? AF_INET : AF_INET6
        let written = bytes.withUnsafeBytes { inet_ntop(family, $0.baseAddress, &text, socklen_t(INET6_ADDRSTRLEN)) }
        return written == nil
            ? "" : String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

/// A block of addresses in CIDR notation (RFC 4632 section 3.1, RFC 4291 section 2.3).
public struct IPNetwork: Sendable, Hashable {
    public let address: IPAddress
    /// The number of significant bits.
    public let prefixLength: Int

    /// Parses `address/length`, or a single address as a network of one. Bits beyond the length must be zero: others
    /// are more likely a mistake than intended.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count <= IPAddress.lengthLimit + 4 else { return nil }
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(parts[0]) else { return nil }
        let width = address.width
        var length = width
        if parts.count == 2 {
            guard let value = Int(parts[1]), String(value) == parts[1], (0...width).contains(value) else { return nil }
            // An IPv4-mapped address with an IPv6 length would mean another network than it shows.
            guard width == 128 || !parts[0].contains(":") else { return nil }
            length = value
        }
        self.address = address
        prefixLength = length
        let hostBits = Self.hostBits(isV4: address.isV4, length)
        guard address.high & hostBits.high == 0, address.low & hostBits.low == 0 else { return nil }
    }

    /// Returns true if the block contains an address; false for one of the other version.
    public func contains(_ other: IPAddress) -> Bool {
        Self.contains(other, high: address.high, low: address.low, isV4: address.isV4, prefixLength: prefixLength)
    }

    private static func contains(
        _ other: IPAddress, high: UInt64, low: UInt64, isV4: Bool, prefixLength: Int
    ) -> Bool {
        let hostBits = hostBits(isV4: isV4, prefixLength)
        return other.isV4 == isV4 && (other.high ^ high) & ~hostBits.high == 0 && (other.low ^ low) & ~hostBits.low == 0
    }

    /// A mask of the bits that are not significant.
    private static func hostBits(isV4: Bool, _ length: Int) -> (high: UInt64, low: UInt64) {
        let length = isV4 ? length + 96 : length
        // A shift by 64 or more leaves nothing.
        return (UInt64.max >> length, length <= 64 ? .max : UInt64.max >> (length - 64))
    }
}

/// The form of a network in a policy.
extension IPNetwork {
    static let encodedSize = 18

    func append(to bytes: inout [UInt8]) {
        bytes += [address.isV4 ? 4 : 6, UInt8(prefixLength)]
        withUnsafeBytes(of: (address.high.littleEndian, address.low.littleEndian)) { bytes += $0 }
    }

    /// Returns true if the network at an offset contains an address.
    static func contains(_ other: IPAddress, at bytes: UnsafeRawBufferPointer, _ offset: Int) -> Bool {
        contains(
            other, high: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 2, as: UInt64.self)),
            low: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 10, as: UInt64.self)),
            isV4: bytes[offset] == 4, prefixLength: Int(bytes[offset + 1]))
    }
}

extension IPNetwork: CustomStringConvertible {
    public var description: String { "\(address)/\(prefixLength)" }
}
