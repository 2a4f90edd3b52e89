/// A fair division of a number of slots: a holder gets another slot only while it holds fewer than are free.
///
/// One holder therefore gets at most half of the slots, and two get a third each. A new holder finds a free slot even
/// if a few others hold many (A. K. Choudhury and E. L. Hahne, "Dynamic queue length thresholds for shared-memory
/// packet switches", 1998).
struct FairShare<Holder: Hashable> {
    private let limit: Int
    private(set) var used = 0
    private var counts: [Holder: Int] = [:]

    init(limit: Int) {
        self.limit = limit
    }

    var free: Int { limit - used }

    func held(by holder: Holder) -> Int { counts[holder] ?? 0 }

    func admits(_ holder: Holder) -> Bool { held(by: holder) < free }

    mutating func acquire(_ holder: Holder) -> Bool {
        let count = held(by: holder)
        guard count < free else { return false }
        counts[holder] = count + 1
        used += 1
        return true
    }

    mutating func release(_ holder: Holder) {
        guard let count = counts[holder] else { return }
        counts[holder] = count == 1 ? nil : count - 1
        used -= 1
    }
}
