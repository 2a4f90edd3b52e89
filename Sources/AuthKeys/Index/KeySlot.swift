/// One slot of a table: a cache line. The bits of `meta`, from the top:
/// - 48 for the expiry in milliseconds (all ones: never)
/// - 11 for the load that last saw the entry
/// - 1 if the expiry is the secret's own
/// - 1 if there is a policy
/// - 3 for the state (0: the slot is free)
struct KeySlot {
    var digest: (UInt64, UInt64, UInt64, UInt64)
    var id: (UInt64, UInt64)
    var meta: UInt64
    var version: UInt32
    /// The offset of the key's texts in the table's arena.
    var details: UInt32

    static let free = KeySlot(digest: (0, 0, 0, 0), id: (0, 0), meta: 0, version: 0, details: 0)

    static let generationMask: UInt16 = 0x7FF
    private static let generationShift: UInt64 = 5
    private static let never: UInt64 = 0xFFFF_FFFF_FFFF

    @inline(__always) var isFree: Bool { meta & 7 == 0 }

    /// Nil if the slot is free.
    @inline(__always) var state: KeyEntry.State? { KeyEntry.State(rawValue: UInt8(meta & 7)) }

    var generation: UInt16 {
        get { UInt16(meta >> Self.generationShift & UInt64(Self.generationMask)) }
        set {
            let mask = UInt64(Self.generationMask)
            meta = meta & ~(mask << Self.generationShift) | (UInt64(newValue) & mask) << Self.generationShift
        }
    }

    /// `meta` without the load that last saw the slot.
    var content: UInt64 { meta & ~(UInt64(Self.generationMask) << Self.generationShift) }

    /// The secret's own expiry; nil if the key expires first, or there is none.
    var secretEnd: Timestamp? { meta & 16 != 0 ? expiresAt : nil }

    /// True if more than state and expiry restricts the key.
    @inline(__always) var hasPolicy: Bool { meta & 8 != 0 }

    /// The expiry, at the resolution of a millisecond, rounded down so that no key outlives it.
    @inline(__always) var expiresAt: Timestamp? {
        meta >> 16 == Self.never ? nil : Timestamp(microseconds: Int64(meta >> 16) * 1_000)
    }

    /// Disables a key that is active.
    mutating func close() {
        if state == .active { setState(.disabled) }
    }

    mutating func setState(_ state: KeyEntry.State) {
        meta = meta & ~7 | UInt64(state.rawValue)
    }

    /// True if the load of this generation has not seen the entry.
    func isUnseen(by generation: UInt16) -> Bool {
        !isFree && self.generation != generation & Self.generationMask
    }

    /// Returns true if state and expiry equal those of an entry. Two expiries of the secret that have passed count as
    /// equal.
    func agrees(with entry: KeyEntry, at now: Timestamp) -> Bool {
        let other = KeySlot(digest: digest, id: id, meta: Self.meta(of: entry, generation: 0), version: 0, details: 0)
        if content == other.content { return true }
        guard let end = secretEnd, let otherEnd = other.secretEnd, end <= now, otherEnd <= now else { return false }
        return content & 0xFFFF == other.content & 0xFFFF
    }

    static func meta(of entry: KeyEntry, generation: UInt16) -> UInt64 {
        let milliseconds = entry.expiresAt.map { min(UInt64(max(0, $0.microseconds / 1_000)), never - 1) } ?? never
        return milliseconds << 16 | UInt64(generation & generationMask) << generationShift
            | (entry.endsSecret ? 16 : 0) | (entry.policy.isEmpty ? 0 : 8) | UInt64(entry.state.rawValue)
    }

    @inline(__always)
    func holds(_ other: (UInt64, UInt64, UInt64, UInt64)) -> Bool {
        (digest.0 ^ other.0) | (digest.1 ^ other.1) | (digest.2 ^ other.2) | (digest.3 ^ other.3) == 0
    }

    /// True if this slot's digest sorts before another. The first words decide, or the rest if they are equal.
    @inline(__always)
    func precedes(_ other: (UInt64, UInt64, UInt64, UInt64)) -> Bool {
        if digest.0 != other.0 { return digest.0 < other.0 }
        if digest.1 != other.1 { return digest.1 < other.1 }
        if digest.2 != other.2 { return digest.2 < other.2 }
        return digest.3 < other.3
    }
}
