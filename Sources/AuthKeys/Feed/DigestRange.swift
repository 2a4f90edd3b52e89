/// The digests whose first bits have one value: at least 8 bits, so that one table of the index holds them all.
public struct DigestRange: Sendable, Hashable {
    /// The first digest's first word.
    let first: UInt64
    /// The last digest's first word.
    let last: UInt64

    /// The range number `number` of `2^bits` ranges. `bits` is 8 to 32.
    public init(number: Int, bits: Int) {
        let shift = UInt64(64 - bits)
        first = UInt64(number) << shift
        last = first | ((1 << shift) - 1)
    }

    /// Returns the number of bits for ranges of about 1,000 keys each.
    static func bits(forKeys count: Int) -> Int {
        var bits = 8
        while bits < 32, count >> bits > 1_000 { bits += 1 }
        return bits
    }

    /// The lower bound of the digests: its first 8 bytes.
    public var lowerBound: [UInt8] { withUnsafeBytes(of: first.bigEndian) { Array($0) } }

    /// The exclusive upper bound: its first 8 bytes; nil for the last range.
    public var upperBound: [UInt8]? {
        last == .max ? nil : withUnsafeBytes(of: (last + 1).bigEndian) { Array($0) }
    }
}
