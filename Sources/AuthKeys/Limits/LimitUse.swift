/// The state of one limit after a request was decided, for the fields of its response. The name is borrowed for the
/// duration of a call.
public struct LimitUse {
    public enum Kind: UInt8, Sendable, Equatable {
        case rate, quota, concurrent, credits
    }

    /// Empty for the credits.
    public let name: UnsafeRawBufferPointer
    /// The units of a period, or under way. For credits, the same as `remaining`.
    public let limit: Int64
    /// The units that are left, at least 0. For credits, -1 if the instance does not know them yet.
    public let remaining: Int64
    // Times are numbers of microseconds, -1 for nil, so that the records of seven limits fit on the stack.
    private let windowMicroseconds: Int64
    private let resetMicroseconds: Int64
    private let retryMicroseconds: Int64
    /// The refusal that the limit calls for; nil if it has room.
    public let refusal: Refusal?
    /// True if the limit only reports.
    public let isReportOnly: Bool
    public let kind: Kind

    init(
        name: UnsafeRawBufferPointer, limit: Int64, window: Duration?, remaining: Int64, reset: Duration?,
        retryAfter: Duration?, refusal: Refusal?, isReportOnly: Bool, kind: Kind
    ) {
        self.init(
            name: name, limit: limit, window: window.map { $0 / .seconds(1) }, remaining: remaining,
            reset: reset.map { $0 / .seconds(1) }, retryAfter: retryAfter.map { $0 / .seconds(1) }, refusal: refusal,
            isReportOnly: isReportOnly, kind: kind)
    }

    /// - Parameters:
    ///   - window, reset, retryAfter: in seconds.
    @inline(__always)
    init(
        name: UnsafeRawBufferPointer, limit: Int64, window: Double?, remaining: Int64, reset: Double?,
        retryAfter: Double?, refusal: Refusal?, isReportOnly: Bool, kind: Kind
    ) {
        self.name = name
        self.limit = limit
        self.remaining = remaining
        windowMicroseconds = Self.microseconds(window)
        resetMicroseconds = Self.microseconds(reset)
        retryMicroseconds = Self.microseconds(retryAfter)
        self.refusal = refusal
        self.isReportOnly = isReportOnly
        self.kind = kind
    }

    /// The length of the period; nil for a concurrency limit and for credits. A month counts as 30 days.
    public var window: Duration? { Self.duration(windowMicroseconds) }
    /// The time until all units are back; nil if it is unknown, and for a concurrency limit.
    public var reset: Duration? { Self.duration(resetMicroseconds) }
    /// The time until the request would fit, at least 1 s. Nil if it fits now or never, or if that time is unknown.
    public var retryAfter: Duration? { Self.duration(retryMicroseconds) }

    @inline(__always)
    private static func microseconds(_ seconds: Double?) -> Int64 {
        seconds.map { Int64(min(max(0, $0) * 1e6, 9e18)) } ?? -1
    }

    private static func duration(_ microseconds: Int64) -> Duration? {
        microseconds < 0 ? nil : .microseconds(microseconds)
    }

    /// Returns the same use with other units left.
    func with(remaining: Int64) -> LimitUse {
        LimitUse(copying: self, remaining: remaining)
    }

    private init(copying use: LimitUse, remaining: Int64) {
        name = use.name
        limit = use.limit
        self.remaining = remaining
        windowMicroseconds = use.windowMicroseconds
        resetMicroseconds = use.resetMicroseconds
        retryMicroseconds = use.retryMicroseconds
        refusal = use.refusal
        isReportOnly = use.isReportOnly
        kind = use.kind
    }
}

/// The limits that applied to a request, borrowed for the duration of a call.
public struct LimitUses {
    let records: UnsafeBufferPointer<LimitRecord>
    /// The slots that the request holds. They must be given back when the request ends (`Limiter.release`).
    public let ticket: LimitTicket
    /// The uptime of the decision, in seconds, and the version of the key's entry.
    let at: Double
    let version: UInt32

    init(_ records: UnsafeBufferPointer<LimitRecord>, ticket: LimitTicket, at now: Double, version: UInt32) {
        self.records = records
        self.ticket = ticket
        at = now
        self.version = version
    }

    /// A request that no limit applied to.
    public static var none: LimitUses {
        LimitUses(UnsafeBufferPointer(start: nil, count: 0), ticket: LimitTicket(), at: 0, version: 0)
    }

    public var isEmpty: Bool { records.isEmpty }
    public var count: Int { records.count }

    public subscript(position: Int) -> LimitUse { records[position].use }

    /// The limit that refuses the request; nil if none does.
    public var refusing: LimitUse? { refusingRecord?.use }

    /// True if the request is refused only until the database has answered a question of this instance: about credits
    /// that it has not leased yet, or about a limit that an admin may have reset.
    var awaitsAnswer: Bool { refusingRecord?.awaitsAnswer ?? false }

    private var refusingRecord: LimitRecord? { records.first { $0.use.refusal != nil && !$0.use.isReportOnly } }
}

/// The use of one limit, and what the request took from it.
struct LimitRecord {
    var use: LimitUse
    let id: LimitID
    let cost: Int64
    let taken: LimitCell.Taken
    /// The definition; nil for credits and concurrency limits.
    let terms: LimitTerms?
    /// True if the request took units, credits or a slot.
    var hasTaken: Bool
    /// True if the next answer of the database may have room for the request.
    var awaitsAnswer = false
}

/// The slots that a request holds in concurrency limits.
public struct LimitTicket: Sendable, Equatable {
    private var slots: (LimitID?, LimitID?, LimitID?, LimitID?) = (nil, nil, nil, nil)
    /// Slots beyond the fourth.
    private var more: [LimitID] = []

    public init() {}

    public var isEmpty: Bool { slots.0 == nil }

    public static func == (left: LimitTicket, right: LimitTicket) -> Bool {
        left.slots == right.slots && left.more == right.more
    }

    mutating func add(_ id: LimitID) {
        if slots.0 == nil {
            slots.0 = id
        } else if slots.1 == nil {
            slots.1 = id
        } else if slots.2 == nil {
            slots.2 = id
        } else if slots.3 == nil {
            slots.3 = id
        } else {
            more.append(id)
        }
    }

    /// Calls `body` with each slot, and empties the ticket, so that no slot is given back twice.
    mutating func drain(_ body: (LimitID) -> Void) {
        let all = self
        self = LimitTicket()
        for id in [all.slots.0, all.slots.1, all.slots.2, all.slots.3] { if let id { body(id) } }
        for id in all.more { body(id) }
    }
}
