/// The state of one limit after a request was decided, for the fields of its response. The name is borrowed for the
/// duration of a call.
public struct LimitUse {
    public let name: UnsafeRawBufferPointer
    /// The units of a period, or under way.
    public let limit: Int64
    /// The length of the period; nil for a concurrency limit.
    public let window: Duration?
    /// The units that are left, at least 0.
    public let remaining: Int64
    /// The time until all units are back; nil for a concurrency limit.
    public let reset: Duration?
    /// The time until the request would fit; nil if it fits, or if that time is unknown.
    public let retryAfter: Duration?
    /// The refusal that the limit calls for; nil if it has room.
    public let refusal: Refusal?
    /// True if the limit only reports.
    public let isReportOnly: Bool
    public let kind: Kind

    public enum Kind: Sendable, Equatable {
        case rate, quota, concurrent, credits
    }
}

/// The limits that applied to a request, borrowed for the duration of a call.
public struct LimitUses {
    private let uses: UnsafeBufferPointer<LimitUse>

    init(_ uses: UnsafeBufferPointer<LimitUse>) {
        self.uses = uses
    }

    /// A request that no limit applied to.
    public static var none: LimitUses { LimitUses(UnsafeBufferPointer(start: nil, count: 0)) }

    /// The slots that the request holds. They must be given back when the request ends (`Limiter.release`).
    public var ticket: LimitTicket { LimitTicket() }

    public var isEmpty: Bool { uses.isEmpty }
    public var count: Int { uses.count }

    public subscript(position: Int) -> LimitUse { uses[position] }

    /// The limit that refuses the request; nil if none does.
    public var refusing: LimitUse? { uses.first { $0.refusal != nil && !$0.isReportOnly } }
}

/// The slots that a request holds in concurrency limits.
public struct LimitTicket: Sendable {
    public init() {}

    public var isEmpty: Bool { true }
}
