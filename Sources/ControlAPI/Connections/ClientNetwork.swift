import AuthKeys
import NIOCore

/// The unit by which connections are counted: an IPv4 address, or the /64 of an IPv6 address. RFC 6177 section 2 names
/// the /64 as the smallest block that a site gets.
struct ClientNetwork: Hashable {
    /// 4 or 8 bytes; empty if the peer has no IP address.
    let bytes: [UInt8]

    init(_ address: SocketAddress?) {
        bytes = address?.ipAddress.flatMap { IPAddress($0) }.map { Array($0.bytes.prefix(8)) } ?? []
    }
}
