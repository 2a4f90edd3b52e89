public import AuthKeys

/// Lines of the request log as they arrive.
///
/// A line has the time at which its request began, and is written after the request ended. So lines arrive out of
/// order. Each poll reads the positions of the last `overlap`, and returns the lines that no earlier poll has seen. A
/// line that is written later than `overlap` after its request began is not returned.
public struct RequestTail: Sendable {
    /// The time before a poll that the poll reads again.
    public static let overlap = Duration.seconds(30)
    /// The earliest lines that a caller who reconnects gets.
    public static let replayAge = Duration.seconds(15 * 60)
    /// The maximum number of lines that a caller who reconnects gets.
    public static let replayLimit = 1_000
    /// The maximum number of lines that a poll returns.
    public static let pollLimit = 2_000
    /// The maximum number of positions that a poll reads. Beyond it, the time that is read again is shorter.
    static let positionLimit = 20_000

    /// The result of a poll.
    public struct Batch: Sendable, Equatable {
        /// In ascending order.
        public var lines: [LoggedRequest]
        /// The number of lines that were left out because there were too many.
        public var skipped: Int

        public init(lines: [LoggedRequest], skipped: Int) {
            self.lines = lines
            self.skipped = skipped
        }
    }

    private let searches: RequestSearches
    private let slot: SearchSlots.Slot
    private let query: RequestQuery
    private let scope: OwnerScope
    private var position: RequestCursor?
    private var isFirst = true
    /// The positions since the beginning of the time that the last poll read.
    private var seen: Set<RequestCursor> = []
    /// The earliest time that is still read.
    private var floor = Timestamp.minimum

    init(
        searches: RequestSearches, slot: SearchSlots.Slot, query: RequestQuery, scope: OwnerScope,
        after position: RequestCursor?
    ) {
        self.searches = searches
        self.slot = slot
        self.query = query.filter
        self.scope = scope
        self.position = position
    }

    /// Returns the lines that have arrived since the last poll. The first poll returns the lines after the position at
    /// which the caller continues, and some of those before it.
    public mutating func poll(now: Timestamp = .now) async throws(AuthKeyError) -> Batch {
        guard let used = await searches.slots.next() else { throw RequestSearches.cancelled }
        defer { withExtendedLifetime(used) {} }
        var start = max(floor, now.advanced(by: .zero - Self.overlap))
        if isFirst, let position {
            let earliest = now.advanced(by: .zero - Self.replayAge)
            start = min(start, max(earliest, position.at.advanced(by: .zero - Self.overlap)))
        }
        let found = try await ask(
            await searches.log.positions(
                query, in: scope, since: start, limit: Self.positionLimit, budget: RequestSearches.budget))
        if found.count == Self.positionLimit, let oldest = found.last { floor = oldest.at }
        defer {
            seen = Set(found)
            isFirst = false
        }
        if isFirst, position == nil { return Batch(lines: [], skipped: 0) }
        let new = found.filter { !seen.contains($0) && $0 != position }
        let chosen = Array(new.prefix(isFirst ? Self.replayLimit : Self.pollLimit))
        if chosen.isEmpty { return Batch(lines: [], skipped: 0) }
        let lines = try await ask(await searches.log.lines(at: chosen, in: scope, budget: RequestSearches.budget))
        return Batch(lines: lines, skipped: new.count - chosen.count)
    }
}
