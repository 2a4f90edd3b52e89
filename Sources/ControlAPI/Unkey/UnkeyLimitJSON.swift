import AuthKeys

/// A rate limit of a key in the JSON of Unkey's API. Its id is its name.
struct UnkeyRatelimitJSON: Encodable {
    let id: String
    let name: String
    let limit: Int64
    /// In milliseconds.
    let duration: Int64
    let autoApply: Bool

    /// Returns nil for a limit that Unkey lacks.
    init?(_ rule: LimitRule) {
        guard let duration = rule.unkeyDuration else { return nil }
        (id, name, limit) = (rule.name, rule.name, rule.limit)
        self.duration = duration
        autoApply = !rule.isAsked
    }
}

/// The credits of a key in the JSON of Unkey's API.
struct UnkeyCreditsJSON: Encodable {
    /// Null for an unlimited number.
    let remaining: Int64?
    let refill: Refill?

    /// A refill. One that Unkey lacks, each week, is omitted.
    struct Refill: Encodable {
        let interval: UnkeyRefillInterval
        let amount: Int64
        /// The day of a monthly refill.
        let refillDay: Int16?
    }

    enum CodingKeys: CodingKey, CaseIterable {
        case remaining, refill
    }

    init(_ credits: KeyCredits?) {
        remaining = credits?.remaining
        refill = credits?.refill.flatMap { refill in
            UnkeyRefillInterval(refill.every).map {
                Refill(interval: $0, amount: refill.amount, refillDay: $0 == .monthly ? refill.day : nil)
            }
        }
    }

    func encode(to encoder: any Encoder) throws {
        var members = encoder.container(keyedBy: CodingKeys.self)
        try members.encode(remaining, forKey: .remaining)
        try members.encodeIfPresent(refill, forKey: .refill)
    }
}
