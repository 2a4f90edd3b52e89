/// Units that a key may spend, in total or until a refill.
public struct KeyCredits: Sendable, Hashable {
    /// The units that are left and not leased to an instance, at least 0.
    public let remaining: Int64
    public let refill: Refill?

    /// Returns nil if a value is out of range.
    public init?(remaining: Int64, refill: Refill? = nil) {
        guard (0...LimitRule.unitLimit).contains(remaining) else { return nil }
        self.remaining = remaining
        self.refill = refill
    }

    /// Credits of which nothing is left.
    public static let empty = KeyCredits(refill: nil)

    private init(refill: Refill?) {
        remaining = 0
        self.refill = refill
    }

    /// A refill at the beginning of each calendar period (UTC). A week begins on Monday.
    public struct Refill: Sendable, Hashable {
        /// 1 to `LimitRule.unitLimit`.
        public let amount: Int64
        /// `day`, `week` or `month`.
        public let every: CalendarPeriod
        /// The day of a monthly refill, 1 to 31. In a shorter month, the last day. Otherwise 1.
        public let day: Int16
        /// True if the refill adds its amount to what is left, false if it replaces what is left.
        public let adds: Bool
        /// The maximum after a refill that adds.
        public let maximum: Int64?

        /// Returns nil if a value is out of range.
        public init?(_ amount: Int64, every: CalendarPeriod, day: Int16 = 1, adds: Bool = false, maximum: Int64? = nil)
        {
            let units = 1...LimitRule.unitLimit
            guard units.contains(amount), every != .hour, (1...31).contains(day), day == 1 || every == .month,
                maximum.map({ adds && units.contains($0) }) ?? true
            else { return nil }
            self.amount = amount
            self.every = every
            self.day = day
            self.adds = adds
            self.maximum = maximum
        }
    }
}

/// A change of a key's credits. Credits without units begin with the amount of their refill.
public struct CreditsPatch: Sendable, Equatable {
    /// The units that are left; nil to leave them as they are.
    public var remaining: Int64?
    public var refill = KeyPatch.Change<KeyCredits.Refill>.unchanged

    public init(remaining: Int64? = nil, refill: KeyPatch.Change<KeyCredits.Refill> = .unchanged) {
        self.remaining = remaining
        self.refill = refill
    }

    func applied(to credits: KeyCredits?) -> KeyCredits {
        var refill = credits?.refill
        KeyPatch.apply(self.refill, to: &refill)
        let left = remaining ?? credits?.remaining ?? refill?.amount ?? 0
        return KeyCredits(remaining: left, refill: refill) ?? .empty
    }
}
