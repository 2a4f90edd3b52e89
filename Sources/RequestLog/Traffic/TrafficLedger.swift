import AuthKeys

/// Counts requests by minute, and by hour and key. A request belongs to the time at which it ended.
///
/// One thread, or the holder of a lock, owns a ledger. Counting takes no lock, and allocates only for an entry that did
/// not exist since the last `take`.
public struct TrafficLedger: Sendable {
    static let microsecondsPerMinute: Int64 = 60_000_000
    static let microsecondsPerHour: Int64 = 3_600_000_000
    /// The maximum number of entries of minutes. Requests beyond it are counted without their code. Codes are constants
    /// of the program, so that a few dozen entries are usual.
    static let minutesLimit = 4_096
    /// The code of requests beyond the limit.
    static let otherCode = "other"
    private static let shortcutCount = 64

    private var minutes: [MinuteCount] = []
    /// The indexes of the last entries in `minutes` by entry point and outcome.
    private var shortcuts = [Int32](repeating: 0, count: TrafficLedger.shortcutCount)
    private var hours: [HourEntry] = []
    /// A hash table with open addressing by key and hour: indexes in `hours` plus one; 0 for a free slot.
    private var slots: [UInt32] = []
    /// The time of the first request since the last `take`.
    private(set) var began: Timestamp?

    public init() {}

    public var isEmpty: Bool { minutes.isEmpty }

    /// Counts a request.
    @inline(__always)
    public mutating func count(_ line: RequestLine) {
        let ended = line.at.microseconds &+ line.microseconds
        if began == nil { began = Timestamp(microseconds: ended) }
        count(line, inMinute: ended / Self.microsecondsPerMinute)
        if let keyID = line.keyID {
            count(line, of: keyID, inHour: Int32(truncatingIfNeeded: ended / Self.microsecondsPerHour))
        }
    }

    /// Returns the counts and clears them.
    public mutating func take() -> TrafficCounts {
        let counts = TrafficCounts(minutes: minutes, entries: hours)
        minutes = []
        hours = []
        slots = []
        began = nil
        return counts
    }

    // MARK: - Minutes

    @inline(__always)
    private mutating func count(_ line: RequestLine, inMinute minute: Int64) {
        let code = line.code ?? ""
        let shortcut = (Int(line.surface.rawValue) &* 8 &+ Int(line.outcome.rawValue)) & (Self.shortcutCount - 1)
        let last = Int(shortcuts[shortcut])
        // Texts of the same constant are compared by their addresses.
        if last < minutes.count, isGroup(of: last, minute, line, code) {
            minutes[last].sum.count(line)
            return
        }
        let entry = entry(minute, line, code)
        shortcuts[shortcut] = Int32(truncatingIfNeeded: entry)
        minutes[entry].sum.count(line)
    }

    @inline(__always)
    private func isGroup(of entry: Int, _ minute: Int64, _ line: RequestLine, _ code: String) -> Bool {
        minutes[entry].group.minute == minute && minutes[entry].group.outcome == line.outcome
            && minutes[entry].group.surface == line.surface && minutes[entry].group.code == code
    }

    /// Returns the index of an entry, and adds it if necessary.
    @inline(never)
    private mutating func entry(_ minute: Int64, _ line: RequestLine, _ code: String) -> Int {
        // The newest entries come last.
        if let found = minutes.indices.last(where: { isGroup(of: $0, minute, line, code) }) { return found }
        if minutes.count >= Self.minutesLimit, code != Self.otherCode { return entry(minute, line, Self.otherCode) }
        minutes.append(
            MinuteCount(
                MinuteCount.Group(minute: minute, surface: line.surface, outcome: line.outcome, code: code)))
        return minutes.count - 1
    }

    // MARK: - Hours

    @inline(__always)
    private mutating func count(_ line: RequestLine, of keyID: KeyID, inHour hour: Int32) {
        if (hours.count + 1) * 2 > slots.count { grow() }
        let slot = slot(of: keyID, hour)
        if slots[slot] == 0 {
            hours.append(HourEntry(keyID: keyID, hour: hour))
            slots[slot] = UInt32(hours.count)
        }
        hours[Int(slots[slot]) - 1].count(line)
    }

    /// Returns the slot of a key and hour in `slots`, used or free. A free slot always exists.
    @inline(__always)
    private func slot(of keyID: KeyID, _ hour: Int32) -> Int {
        // The low half of a key's id is random; the product spreads the hours.
        let hash = keyID.low ^ UInt64(truncatingIfNeeded: hour) &* 0x9E37_79B9_7F4A_7C15
        var slot = Int(truncatingIfNeeded: hash ^ hash >> 32) & (slots.count - 1)
        while slots[slot] != 0 {
            let entry = Int(slots[slot]) - 1
            if hours[entry].keyID == keyID, hours[entry].hour == hour { break }
            slot = (slot + 1) & (slots.count - 1)
        }
        return slot
    }

    @inline(never)
    private mutating func grow() {
        slots = Array(repeating: 0, count: max(64, slots.count * 2))
        for (number, entry) in hours.enumerated() { slots[slot(of: entry.keyID, entry.hour)] = UInt32(number + 1) }
    }
}
