import Glibc

/// An IP address, version 4 or 6. An IPv4 address written as an IPv6 one (`::ffff:192.0.2.1`) is the IPv4 address.
public struct IPAddress: Sendable, Hashable {
    /// 4 or 16 bytes, in network order.
    public let bytes: [UInt8]

    /// Reads the usual notations (RFC 4291 section 2.2 for version 6), without zone, brackets or port.
    public init?(_ text: some StringProtocol) {
        // `inet_pton` stops at a NUL.
        guard text.utf8.count <= 45, !text.utf8.contains(0) else { return nil }
        let text = String(text)
        var v4 = in_addr()
        if inet_pton(AF_INET, text, &v4) == 1 {
            bytes = withUnsafeBytes(of: v4) { Array($0) }
            return
        }
        var v6 = in6_addr()
        guard inet_pton(AF_INET6, text, &v6) == 1 else { return nil }
        let long = withUnsafeBytes(of: v6) { Array($0) }
        let isMapped = long[..<10].allSatisfy { $0 == 0 } && long[10] == 0xFF && long[11] == 0xFF
        bytes = isMapped ? Array(long[12...]) : long
    }
}

extension IPAddress: CustomStringConvertible {
    public var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = bytes.count == 4 ? AF_INET : AF_INET6
        let written = bytes.withUnsafeBytes { inet_ntop(family, $0.baseAddress, &text, socklen_t(INET6_ADDRSTRLEN)) }
        return written == nil
            ? "" : String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

/// A block of addresses in CIDR notation (RFC 4632 section 3.1, RFC 4291 section 2.3).
public struct IPNetwork: Sendable, Hashable {
    public let address: IPAddress
    /// Bits that count.
    public let prefixLength: Int

    /// Reads `address/length`, or an address alone, which is a network of one. Bits beyond the length must be zero: anything
    /// else is more likely a mistake than meant.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(parts[0]) else { return nil }
        let width = address.bytes.count * 8
        var length = width
        if parts.count == 2 {
            guard let value = Int(parts[1]), String(value) == parts[1], (0...width).contains(value) else { return nil }
            // A mapped IPv4 address with an IPv6 length would mean something else than it says.
            guard width == 128 || !parts[0].contains(":") else { return nil }
            length = value
        }
        self.address = address
        prefixLength = length
        guard Self.masked(address.bytes, length) == address.bytes else { return nil }
    }

    /// Whether an address lies in the block; never if it is of the other version.
    public func contains(_ other: IPAddress) -> Bool {
        other.bytes.count == address.bytes.count && Self.masked(other.bytes, prefixLength) == address.bytes
    }

    private static func masked(_ bytes: [UInt8], _ length: Int) -> [UInt8] {
        bytes.enumerated().map { position, byte in
            let bits = max(0, min(8, length - position * 8))
            return byte & ~UInt8(truncatingIfNeeded: 0xFF >> bits)
        }
    }
}

extension IPNetwork: CustomStringConvertible {
    public var description: String { "\(address)/\(prefixLength)" }
}
