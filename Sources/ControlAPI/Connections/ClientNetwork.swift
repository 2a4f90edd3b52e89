import AuthKeys
import NIOCore

/// The unit that connections are counted by: an IPv4 address, or the /64 of an IPv6 address (RFC 6177 section 2: the smallest block that
/// a site is given).
struct ClientNetwork: Hashable {
    /// 4 or 8 bytes; empty where the peer has no IP address.
    let bytes: [UInt8]

    init(_ address: SocketAddress?) {
        bytes = address?.ipAddress.flatMap { IPAddress($0) }.map { Array($0.bytes.prefix(8)) } ?? []
    }
}
