/// Decides which requests get a line, so that neither a burst nor junk fills the disk.
///
/// A line stands for itself and for the requests of its class that were omitted before it. The sum of the weights is
/// thus the number of requests, but for the last omitted ones (`omitted`).
public struct LogSampler: Sendable {
    /// Requests that share a budget.
    public enum Class: Int, Sendable, CaseIterable {
        /// Admitted requests.
        case admitted
        /// Other requests with a key that exists.
        case refused
        /// Refusals without such a key, which strangers can cause at will.
        case anonymous
    }

    /// The lines that an instance keeps a second. Of further requests it keeps one in `overflowInterval`.
    static let budgets = [20_000, 5_000, 100]
    static let overflowInterval: UInt32 = 100

    private struct Count {
        var budget = 0
        var kept = 0
        var omitted: UInt32 = 0
        /// True if the class had to share lines more than usual in this second.
        var isThinned = false
    }

    private var counts: [Count]
    private var second: Int64 = .min
    /// Requests of past seconds that no line stands for.
    private var lost = 0
    /// Of so many admitted requests one gets a line; 0 if none does.
    private let admittedInterval: UInt32

    /// - Parameters:
    ///   - ratio: the part of admitted requests that gets a line, 0 to 1.
    ///   - producers: the number of samplers that share the budgets of the instance.
    public init(ratio: Double = 1, producers: Int = 1) {
        admittedInterval = ratio <= 0 ? 0 : UInt32(min(1_000_000, max(1, (1 / ratio).rounded())))
        counts = Self.budgets.map { Count(budget: max(1, $0 / max(1, producers))) }
    }

    /// Returns the weight of a request's line; nil if it gets none.
    /// - Parameters:
    ///   - second: the current second, of any clock.
    ///   - pressure: the size of the pages that wait for their writer, in eighths of the limit.
    @inline(__always)
    public mutating func weight(of kind: Class, second: Int64, pressure: Int) -> UInt32? {
        if second != self.second { begin(second) }
        let index = kind.rawValue
        let interval = interval(of: kind, isOverBudget: counts[index].kept >= counts[index].budget, pressure: pressure)
        counts[index].omitted &+= 1
        if interval != usual(kind) { counts[index].isThinned = true }
        guard interval > 0, counts[index].omitted >= interval else { return nil }
        defer { counts[index].omitted = 0 }
        counts[index].kept += 1
        return counts[index].omitted
    }

    /// Returns the number of requests that no line will stand for, and forgets them: those that were omitted last in a
    /// second with too many requests. A line of a later second would be the wrong one.
    public mutating func takeLost(in second: Int64) -> Int {
        if second != self.second { begin(second) }
        defer { lost = 0 }
        return lost
    }

    /// Returns the number of all requests that no line stands for yet, and forgets them.
    public mutating func takeOmitted() -> Int {
        let omitted = counts.reduce(lost) { $0 + Int($1.omitted) }
        for index in counts.indices { counts[index].omitted = 0 }
        lost = 0
        return omitted
    }

    private mutating func begin(_ second: Int64) {
        self.second = second
        for index in counts.indices {
            counts[index].kept = 0
            guard counts[index].isThinned else { continue }
            lost += Int(counts[index].omitted)
            (counts[index].omitted, counts[index].isThinned) = (0, false)
        }
    }

    @inline(__always)
    private func interval(of kind: Class, isOverBudget: Bool, pressure: Int) -> UInt32 {
        let least: UInt32
        switch pressure {
        case ..<4: least = 1
        case 4..<6: least = kind == .admitted ? 10 : 1
        default: least = kind == .admitted ? 100 : 10
        }
        let usual = usual(kind)
        return usual == 0 ? 0 : max(usual, least, isOverBudget ? Self.overflowInterval : 1)
    }

    @inline(__always)
    private func usual(_ kind: Class) -> UInt32 { kind == .admitted ? admittedInterval : 1 }
}
