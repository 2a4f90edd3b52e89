/// The units that a request takes from the limits of its key.
public struct Spending: Sendable, Equatable {
    /// A limit that applies only because the caller names it.
    public struct Asked: Sendable, Equatable {
        public let name: [UInt8]
        public let cost: Int64

        /// Returns nil if the name is not that of a limit, or if the cost is out of range.
        public init?(_ name: String, cost: Int64) {
            guard LimitRule.isName(name), (0...LimitRule.unitLimit).contains(cost) else { return nil }
            self.name = Array(name.utf8)
            self.cost = cost
        }
    }

    /// The units that the request takes from each limit that applies without being named, and from the credits. A cost
    /// of 0 takes nothing, but the request is still refused if a limit has no room for one unit.
    public let cost: Int64
    public let asked: [Asked]
    /// True if the caller gives slots back when the request ends (`Limiter.release`). Otherwise, concurrency limits do
    /// not apply.
    public var holdsSlots = false
    /// True if limits are neither evaluated nor reported.
    let isNone: Bool

    private init(cost: Int64, asked: [Asked], isNone: Bool) {
        self.cost = cost
        self.asked = asked
        self.isNone = isNone
    }

    /// Returns nil if the cost is out of range.
    public init?(cost: Int64, asked: [Asked] = []) {
        guard (0...LimitRule.unitLimit).contains(cost) else { return nil }
        self.init(cost: cost, asked: asked, isNone: false)
    }

    /// A request that takes one unit.
    public static let one = Spending(cost: 1, asked: [], isNone: false)
    /// A question about a key that is not a use of it: limits are neither evaluated nor reported.
    public static let none = Spending(cost: 0, asked: [], isNone: true)
}
