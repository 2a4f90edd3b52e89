/// The status of one limit after a request was decided: a copy of `LimitUse` that may outlive the call.
public struct LimitStatus: Sendable, Equatable {
    public let name: String
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
    public let kind: LimitUse.Kind

    package init(
        name: String, limit: Int64, window: Duration?, remaining: Int64, reset: Duration?, retryAfter: Duration?,
        refusal: Refusal?, isReportOnly: Bool, kind: LimitUse.Kind
    ) {
        self.name = name
        self.limit = limit
        self.window = window
        self.remaining = remaining
        self.reset = reset
        self.retryAfter = retryAfter
        self.refusal = refusal
        self.isReportOnly = isReportOnly
        self.kind = kind
    }

    init(_ use: LimitUse) {
        name = String(decoding: use.name, as: UTF8.self)
        limit = use.limit
        window = use.window
        remaining = use.remaining
        reset = use.reset
        retryAfter = use.retryAfter
        refusal = use.refusal
        isReportOnly = use.isReportOnly
        kind = use.kind
    }

    static func all(_ uses: LimitUses) -> [LimitStatus] {
        uses.isEmpty ? [] : (0..<uses.count).map { LimitStatus(uses[$0]) }
    }

    /// Calls `body` with the status in the form of a decision.
    public func withUse<R>(_ body: (LimitUse) -> R) -> R {
        var name = name
        return name.withUTF8 { name in
            body(
                LimitUse(
                    name: UnsafeRawBufferPointer(name), limit: limit, window: window, remaining: remaining,
                    reset: reset, retryAfter: retryAfter, refusal: refusal, isReportOnly: isReportOnly, kind: kind))
        }
    }
}

extension LimitUses {
    /// The rules whose limits would have refused the request, but only report.
    var reported: PolicyRules {
        var rules: PolicyRules = []
        for position in 0..<count where self[position].refusal != nil && self[position].isReportOnly {
            rules.insert(PolicyRules(self[position].kind == .credits ? .credits : .limits))
        }
        return rules
    }
}
