/// Counts requests by secret. One thread, or the holder of a lock, owns a ledger. Counting takes no lock, and allocates
/// only for a secret that was not counted since the last `take`.
public struct UsageLedger: ~Copyable {
    private struct Entry {
        var count: UsageCount
        var lookedAt: Timestamp
    }

    private var entries: [Entry] = []
    /// A hash table with open addressing by digest, which is uniform: indexes in `entries` plus one; 0 for a free slot.
    private var slots: [UInt32] = []
    /// Counts of past days.
    private var closed: [UsageCount] = []
    private var day: Int32 = 0
    private var dayEnds = Timestamp(microseconds: .min)

    /// The sampling interval of a key, in microseconds.
    private static let interval: Int64 = 1_000_000

    public init() {}

    public var isEmpty: Bool { entries.isEmpty && closed.isEmpty }

    /// Counts a request. Returns true if the caller must `note` its origin.
    @inline(__always)
    public mutating func count(_ digest: SecretDigest, of keyID: KeyID, at now: Timestamp) -> Bool {
        if now >= dayEnds { beginDay(now) }
        if (entries.count + 1) * 2 > slots.count { grow() }
        let slot = slot(of: digest)
        if slots[slot] != 0 {
            let entry = Int(slots[slot]) - 1
            entries[entry].count.requests += 1
            entries[entry].count.lastUsedAt = now
            guard now.microseconds &- entries[entry].lookedAt.microseconds >= Self.interval else { return false }
            entries[entry].lookedAt = now
            return true
        }
        entries.append(
            Entry(
                count: UsageCount(digest: digest, keyID: keyID, day: day, requests: 1, lastUsedAt: now), lookedAt: now))
        slots[slot] = UInt32(entries.count)
        return true
    }

    /// Records the origin of the last counted request of a secret.
    public mutating func note(_ digest: SecretDigest, address: IPAddress?, agent: String?) {
        guard !slots.isEmpty else { return }
        let slot = slot(of: digest)
        guard slots[slot] != 0 else { return }
        entries[Int(slots[slot]) - 1].count.address = address
        entries[Int(slots[slot]) - 1].count.agent = agent
    }

    /// Returns the slot of a digest in `slots`, used or free. A free slot always exists.
    @inline(__always)
    private func slot(of digest: SecretDigest) -> Int {
        var slot = Int(truncatingIfNeeded: digest.words.3) & (slots.count - 1)
        while slots[slot] != 0, entries[Int(slots[slot]) - 1].count.digest != digest {
            slot = (slot + 1) & (slots.count - 1)
        }
        return slot
    }

    /// Returns the counts and clears them.
    public mutating func take() -> [UsageCount] {
        let counts = closed + entries.map(\.count)
        closed = []
        entries = []
        slots = []
        return counts
    }

    private mutating func beginDay(_ now: Timestamp) {
        closed = take()
        let number = now.microseconds / UsageCount.microsecondsPerDay
        day = Int32(clamping: number)
        dayEnds = Timestamp(microseconds: (number + 1) * UsageCount.microsecondsPerDay)
    }

    private mutating func grow() {
        slots = Array(repeating: 0, count: max(64, slots.count * 2))
        for (number, entry) in entries.enumerated() {
            slots[slot(of: entry.count.digest)] = UInt32(number + 1)
        }
    }
}
