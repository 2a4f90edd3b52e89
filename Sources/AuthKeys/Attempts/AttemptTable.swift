/// A table of the budgets of client networks, with a fixed size.
///
/// A network has its place in one of the table's sets, which have `ways` places each. A network that is not in its set
/// replaces the one with the fullest budget. A full budget carries no information, so a free place is one, and nothing
/// is ever removed. A flood from many networks therefore replaces its own networks, and not those over their budgets.
struct AttemptTable: Sendable {
    static let ways = 16

    private var budgets: [AttemptBudget]
    private let setMask: UInt64
    private let rate: AttemptRate

    /// - Parameter sets: the number of sets, rounded up to a power of two.
    init(sets: Int, rate: AttemptRate) {
        var count = 1
        while count < sets { count *= 2 }
        let free = AttemptBudget(of: AttemptNetwork(IPAddress(high: 0, low: 0, isV4: false)), at: 0, rate: rate)
        budgets = Array(repeating: free, count: count * Self.ways)
        setMask = UInt64(count - 1)
        self.rate = rate
    }

    /// Counts a failed attempt. Returns nil if the budget of the network allows it, otherwise the seconds until it
    /// allows one.
    /// - Parameter hash: a number of the network, whose last bits select the set.
    mutating func take(_ network: AttemptNetwork, hash: UInt64, at now: Double) -> Double? {
        let first = Int(hash & setMask) * Self.ways
        for index in first..<first + Self.ways where budgets[index].network == network {
            return budgets[index].take(at: now, rate: rate)
        }
        let index = fullest(from: first, at: now)
        budgets[index] = AttemptBudget(of: network, at: now, rate: rate)
        return budgets[index].take(at: now, rate: rate)
    }

    /// Returns the place of a set with the fullest budget.
    private func fullest(from first: Int, at now: Double) -> Int {
        var (best, most) = (first, -Double.infinity)
        for index in first..<first + Self.ways {
            let tokens = budgets[index].tokens(at: now, rate: rate)
            if tokens >= rate.burst { return index }
            if tokens > most { (best, most) = (index, tokens) }
        }
        return best
    }

    /// Returns the number of networks whose attempts are refused at a moment.
    func exceededCount(at now: Double) -> Int {
        budgets.reduce(0) { $0 + ($1.isExceeded(at: now, rate: rate) ? 1 : 0) }
    }

    /// The refused attempts of several networks.
    struct Refusals: Sendable {
        var networks = 0
        /// The network with the most.
        var worst: (network: AttemptNetwork, attempts: Int)?

        mutating func add(_ other: Refusals) {
            networks += other.networks
            if let theirs = other.worst, theirs.attempts > worst?.attempts ?? 0 { worst = theirs }
        }
    }

    /// Returns the refused attempts since the last call.
    mutating func takeRefusals() -> Refusals {
        var all = Refusals()
        for index in budgets.indices where budgets[index].refusals > 0 {
            let (network, attempts) = (budgets[index].network, budgets[index].takeRefusals())
            all.add(Refusals(networks: 1, worst: (network, attempts)))
        }
        return all
    }
}
