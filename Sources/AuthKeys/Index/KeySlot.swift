/// One place of a table: a cache line. Bits of `meta`: 48 for the expiry in milliseconds (all ones: never), 12 for the load
/// that last saw it, 1 for whether there is a policy, 3 for the state (0: the place is free).
struct KeySlot {
    var digest: (UInt64, UInt64, UInt64, UInt64)
    var id: (UInt64, UInt64)
    var meta: UInt64
    var version: UInt32
    /// Where the texts of the key stand in the table's arena.
    var details: UInt32

    static let free = KeySlot(digest: (0, 0, 0, 0), id: (0, 0), meta: 0, version: 0, details: 0)

    static let generationMask: UInt16 = 0xFFF
    private static let never: UInt64 = 0xFFFF_FFFF_FFFF

    @inline(__always) var isFree: Bool { meta & 7 == 0 }

    /// Nil when the place is free.
    @inline(__always) var state: KeyEntry.State? { KeyEntry.State(rawValue: UInt8(meta & 7)) }

    var generation: UInt16 {
        get { UInt16(meta >> 4 & UInt64(Self.generationMask)) }
        set { meta = meta & ~(UInt64(Self.generationMask) << 4) | UInt64(newValue & Self.generationMask) << 4 }
    }

    /// Whether more than state and expiry limits the key.
    @inline(__always) var hasPolicy: Bool { meta & 8 != 0 }

    /// Milliseconds since the epoch, rounded down: a key never outlives its end.
    @inline(__always) var expiresAt: Timestamp? {
        meta >> 16 == Self.never ? nil : Timestamp(microseconds: Int64(meta >> 16) * 1_000)
    }

    /// Disables a key that is active.
    mutating func close() {
        if state == .active { meta = meta & ~7 | UInt64(KeyEntry.State.disabled.rawValue) }
    }

    static func meta(of entry: KeyEntry, generation: UInt16) -> UInt64 {
        let milliseconds = entry.expiresAt.map { min(UInt64(max(0, $0.microseconds / 1_000)), never - 1) } ?? never
        return milliseconds << 16 | UInt64(generation & generationMask) << 4 | (entry.policy.isEmpty ? 0 : 8)
            | UInt64(entry.state.rawValue)
    }

    @inline(__always)
    func holds(_ other: (UInt64, UInt64, UInt64, UInt64)) -> Bool {
        (digest.0 ^ other.0) | (digest.1 ^ other.1) | (digest.2 ^ other.2) | (digest.3 ^ other.3) == 0
    }

    /// Whether this slot's digest sorts before another, by its first word and, for equal ones, by the rest.
    @inline(__always)
    func precedes(_ other: (UInt64, UInt64, UInt64, UInt64)) -> Bool {
        if digest.0 != other.0 { return digest.0 < other.0 }
        if digest.1 != other.1 { return digest.1 < other.1 }
        if digest.2 != other.2 { return digest.2 < other.2 }
        return digest.3 < other.3
    }
}
