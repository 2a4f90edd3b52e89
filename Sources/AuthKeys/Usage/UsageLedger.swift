/// Counts requests by secret. Belongs to one thread, or to whoever holds its lock: to count takes no lock, and allocates only for
/// a secret that was not seen since the counts were taken.
public struct UsageLedger: ~Copyable {
    private struct Entry {
        var count: UsageCount
        var lookedAt: Timestamp
    }

    private var entries: [Entry] = []
    /// Open addressing by the digest, which is uniform: places in `entries`, one more; 0 where there is none.
    private var places: [UInt32] = []
    /// Counts of a day that is over.
    private var closed: [UsageCount] = []
    private var day: Int32 = 0
    private var dayEnds = Timestamp(microseconds: .min)

    /// How often a key is looked at closely, in microseconds.
    private static let interval: Int64 = 1_000_000

    public init() {}

    public var isEmpty: Bool { entries.isEmpty && closed.isEmpty }

    /// Counts a request. True when it is time to `note` where it came from.
    @inline(__always)
    public mutating func count(_ digest: SecretDigest, of keyID: KeyID, at now: Timestamp) -> Bool {
        if now >= dayEnds { beginDay(now) }
        if (entries.count + 1) * 2 > places.count { grow() }
        let place = place(of: digest)
        if places[place] != 0 {
            let entry = Int(places[place]) - 1
            entries[entry].count.requests += 1
            entries[entry].count.lastUsedAt = now
            guard now.microseconds &- entries[entry].lookedAt.microseconds >= Self.interval else { return false }
            entries[entry].lookedAt = now
            return true
        }
        entries.append(
            Entry(
                count: UsageCount(digest: digest, keyID: keyID, day: day, requests: 1, lastUsedAt: now), lookedAt: now))
        places[place] = UInt32(entries.count)
        return true
    }

    /// Notes where the request came from that was counted last for a secret.
    public mutating func note(_ digest: SecretDigest, address: IPAddress?, agent: String?) {
        guard !places.isEmpty else { return }
        let place = place(of: digest)
        guard places[place] != 0 else { return }
        entries[Int(places[place]) - 1].count.address = address
        entries[Int(places[place]) - 1].count.agent = agent
    }

    /// Where a digest's place in `entries` stands, or is to stand. There is always a free one.
    @inline(__always)
    private func place(of digest: SecretDigest) -> Int {
        var place = Int(truncatingIfNeeded: digest.words.3) & (places.count - 1)
        while places[place] != 0, entries[Int(places[place]) - 1].count.digest != digest {
            place = (place + 1) & (places.count - 1)
        }
        return place
    }

    /// Hands over what was counted, and begins anew.
    public mutating func take() -> [UsageCount] {
        let counts = closed + entries.map(\.count)
        closed = []
        entries = []
        places = []
        return counts
    }

    private mutating func beginDay(_ now: Timestamp) {
        closed = take()
        let number = now.microseconds / UsageCount.microsecondsPerDay
        day = Int32(clamping: number)
        dayEnds = Timestamp(microseconds: (number + 1) * UsageCount.microsecondsPerDay)
    }

    private mutating func grow() {
        places = Array(repeating: 0, count: max(64, places.count * 2))
        for (number, entry) in entries.enumerated() {
            places[place(of: entry.count.digest)] = UInt32(number + 1)
        }
    }
}
