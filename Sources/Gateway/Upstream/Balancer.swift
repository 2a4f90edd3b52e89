import NIOCore

/// Which of several upstreams serves the next request: the one with the fewest requests in flight among those that are usable.
struct Balancer {
    private var health: [TargetHealth]
    private var turn = 0

    init(targets: Int) {
        health = Array(repeating: TargetHealth(), count: targets)
    }

    /// Picks a target that was not tried for this request, by its number; nil when all were. When none is usable the one that
    /// comes back first is tried: refusing without an attempt helps nobody.
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

    /// True when this failure ejects the target.
    mutating func failed(_ target: Int, now: NIODeadline) -> Bool {
        health[target].failed(now: now)
    }
}
