import NIOCore

/// The choice of exchanges to evict: of those without progress, the oldest one of the account that holds the most.
enum Eviction {
    struct Candidate<Holder: Hashable> {
        let holder: Holder
        /// The time of its last progress.
        let since: NIODeadline
    }

    /// Returns the indices of at most `count` candidates. Each belongs to a holder that holds more than `least` until
    /// its eviction.
    static func choose<Holder>(
        from candidates: [Candidate<Holder>], held: (Holder) -> Int, beyond least: Int, count: Int
    ) -> [Int] {
        // The oldest of each holder is last.
        var indices: [Holder: [Int]] = [:]
        for index in candidates.indices.sorted(by: { candidates[$0].since > candidates[$1].since }) {
            indices[candidates[index].holder, default: []].append(index)
        }
        var counts = Dictionary(uniqueKeysWithValues: indices.keys.map { ($0, held($0)) })
        var chosen: [Int] = []
        while chosen.count < count, let (holder, holds) = counts.max(by: { $0.value < $1.value }), holds > least {
            guard let index = indices[holder]?.popLast() else {
                counts[holder] = nil
                continue
            }
            chosen.append(index)
            counts[holder] = holds - 1
        }
        return chosen
    }
}
