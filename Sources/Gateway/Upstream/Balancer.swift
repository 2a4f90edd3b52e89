import NIOCore

/// A selector of the upstream for the next request: the usable one with the fewest requests in flight.
struct Balancer {
    private var health: [TargetHealth]
    private var turn = 0

    init(targets: Int) {
        health = Array(repeating: TargetHealth(), count: targets)
    }

    /// Picks a target that was not tried for this request, by its number; nil if all were tried. If none is usable, it
    /// picks the one whose ejection ends first: an attempt may succeed, a refusal cannot.
    mutating func pick(now: NIODeadline, excluding tried: UInt64, load: (Int) -> Int) -> Int? {
        var best: Int?
        var fallback: Int?
        for step in health.indices {
            let target = (turn + step) % health.count
            if tried & 1 << UInt64(target) != 0 { continue }
            if !health[target].isUsable(now: now) {
                if fallback.map({ (health[target].ejectedUntil ?? now) < (health[$0].ejectedUntil ?? now) }) ?? true {
                    fallback = target
                }
            } else if best.map({ load(target) < load($0) }) ?? true {
                best = target
            }
        }
        turn = (turn + 1) % health.count
        guard let target = best ?? fallback else { return nil }
        health[target].isTried(now: now)
        return target
    }

    mutating func succeeded(_ target: Int) {
        health[target].succeeded()
    }

    /// Counts a failure. Returns true if it ejects the target.
    mutating func failed(_ target: Int, now: NIODeadline) -> Bool {
        health[target].failed(now: now)
    }
}
