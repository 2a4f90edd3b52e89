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
    }

    private var counts: [Count]
    private var second: Int64 = .min
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
        guard interval > 0, counts[index].omitted >= interval else { return nil }
        defer { counts[index].omitted = 0 }
        counts[index].kept += 1
        return counts[index].omitted
    }

    /// Returns the number of requests without a line that no line stands for yet, and forgets them.
    public mutating func takeOmitted() -> Int {
        let omitted = counts.reduce(0) { $0 + Int($1.omitted) }
        for index in counts.indices { counts[index].omitted = 0 }
        return omitted
    }

    private mutating func begin(_ second: Int64) {
        self.second = second
        for index in counts.indices { counts[index].kept = 0 }
    }

    @inline(__always)
    private func interval(of kind: Class, isOverBudget: Bool, pressure: Int) -> UInt32 {
        let least: UInt32
        switch pressure {
        case ..<4: least = 1
        case 4..<6: least = kind == .admitted ? 10 : 1
        default: least = kind == .admitted ? 100 : 10
        }
        let usual = kind == .admitted ? admittedInterval : 1
        return usual == 0 ? 0 : max(usual, least, isOverBudget ? Self.overflowInterval : 1)
    }
}
