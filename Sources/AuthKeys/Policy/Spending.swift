/// The units that a request takes from the limits of its key.
public struct Spending: Sendable, Equatable {
    /// A limit that applies only because the caller names it.
    public struct Asked: Sendable, Equatable {
        public let name: [UInt8]
        public let cost: Int64
        /// The limit, if the caller defines it itself; nil if the key has it.
        let definition: LimitRule?

        /// Returns nil if the name is not that of a limit, or if the cost is out of range.
        public init?(_ name: String, cost: Int64) {
            guard LimitRule.isName(name), (0...LimitRule.unitLimit).contains(cost) else { return nil }
            self.name = Array(name.utf8)
            self.cost = cost
            definition = nil
        }

        /// Creates a limit that the caller defines. Returns nil if the cost is out of range.
        public init?(_ definition: LimitRule, cost: Int64) {
            guard (0...LimitRule.unitLimit).contains(cost) else { return nil }
            name = Array(definition.name.utf8)
            self.cost = cost
            self.definition = definition
        }
    }

    /// The units that the request takes from each limit that applies without being named. A cost of 0 takes nothing,
    /// but the request is still refused if a limit has no room for one unit.
    public let cost: Int64
    /// The credits that the request takes, with the same meaning of 0.
    public let credits: Int64
    public let asked: [Asked]
    /// True if the caller gives slots back when the request ends (`Limiter.release`). Otherwise, concurrency limits do
    /// not apply.
    public var holdsSlots = false
    /// True if concurrency limits are shown, although no slot is taken.
    public var showsSlots = false
    /// True if the caller settles the cost when it knows the actual one (`LimitUses.reserve`).
    public var isSettled = false
    /// True if limits are neither evaluated nor reported.
    let isNone: Bool

    /// True for a question that takes no unit of anything.
    var isPeek: Bool { cost == 0 && credits == 0 && asked.allSatisfy { $0.cost == 0 } }

    private init(cost: Int64, credits: Int64, asked: [Asked], isNone: Bool) {
        self.cost = cost
        self.credits = credits
        self.asked = asked
        self.isNone = isNone
    }

    /// Returns nil if the cost is out of range.
    /// - Parameter credits: nil for the cost.
    public init?(cost: Int64 = 1, credits: Int64? = nil, asked: [Asked] = []) {
        let credits = credits ?? cost
        guard (0...LimitRule.unitLimit).contains(cost), (0...LimitRule.unitLimit).contains(credits) else { return nil }
        self.init(cost: cost, credits: credits, asked: asked, isNone: false)
    }

    /// A request that takes one unit.
    public static let one = Spending(cost: 1, credits: 1, asked: [], isNone: false)
    /// A question about limits, which takes nothing from them.
    public static let peek = Spending(cost: 0, credits: 0, asked: [], isNone: false)
    /// A question about a key that is not a use of it: limits are neither evaluated nor reported.
    public static let none = Spending(cost: 0, credits: 0, asked: [], isNone: true)
}
