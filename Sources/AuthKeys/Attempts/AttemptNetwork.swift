/// The network whose failed attempts share a budget: an IPv4 address, or the /64 of an IPv6 address, the smallest block
/// that a site gets (RFC 6177 section 2).
struct AttemptNetwork: Sendable, Equatable {
    /// The IPv4 address, or the first half of the IPv6 address.
    private let prefix: UInt64
    private let isV4: Bool

    init(_ address: IPAddress) {
        (prefix, isV4) = (address.isV4 ? address.low : address.high, address.isV4)
    }

    /// Returns a number that spreads networks evenly. Without the seed, no client can find networks with equal numbers.
    func hash(seed: UInt64) -> UInt64 {
        // SplitMix64.
        var value = (prefix ^ seed) &+ (isV4 ? 0x9E37_79B9_7F4A_7C15 : 0)
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}

extension AttemptNetwork: CustomStringConvertible {
    var description: String {
        isV4
            ? "\(IPAddress(high: 0, low: prefix, isV4: true))" : "\(IPAddress(high: prefix, low: 0, isV4: false))/64"
    }
}
