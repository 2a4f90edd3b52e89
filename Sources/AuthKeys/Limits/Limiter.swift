import Synchronization

/// Decides whether the limits of a key have room for a request, and takes its units from them.
public final class Limiter: Sendable {
    private struct Bucket {
        var definition: LimitDefinition
        var level = 0.0
        var at: Duration
    }

    private let time: TimeSource
    private let buckets = Mutex<[LimitID: Bucket]>([:])

    public init(time: TimeSource = .system) {
        self.time = time
    }

    /// Takes the units of a request from all limits that apply to it, or from none of them.
    ///
    /// Calls `body` once, with the refusal of the first enforced limit without room, or nil, and with the state of each
    /// limit that applies. The index is locked meanwhile.
    /// - Parameters:
    ///   - plan: the plan of the key.
    ///   - limits: the key's own limits (`LimitBytes`).
    ///   - hasCredits: true if the request spends credits of the key.
    func take<R>(
        plan: PlanID?, limits: UnsafeRawBufferPointer, hasCredits: Bool, key: KeyID, owner: UnsafeRawBufferPointer,
        for request: AccessRequest, _ body: (Refusal?, LimitUses) -> R
    ) -> R {
        let now = time.uptime()
        let path = PathPattern.unambiguous(request.path)
        let count = Int(limits.first ?? 0)
        return withUnsafeTemporaryAllocation(of: LimitUse.self, capacity: count) { uses in
            var used = 0
            var refusal: Refusal?
            LimitBytes.forEach(in: limits) { limit in
                guard !limit.isAsked, limit.matches(method: request.method, path: path) else { return }
                let use = take(limit, key: key, cost: request.spending.cost, at: now)
                if !use.isReportOnly { refusal = refusal ?? use.refusal }
                uses.initializeElement(at: used, to: use)
                used += 1
            }
            return body(refusal, LimitUses(UnsafeBufferPointer(rebasing: uses[..<used])))
        }
    }

    private func take(_ limit: LimitView, key: KeyID, cost: Int64, at now: Duration) -> LimitUse {
        let definition = limit.definition
        let seconds = definition.rate == nil ? 3_600.0 : Double(definition.period) / 1_000_000
        let rate = Double(definition.limit) / seconds
        return buckets.withLock { buckets in
            var bucket = buckets[LimitID(key) ^ limit.id] ?? Bucket(definition: definition, at: now)
            bucket.level = max(0, bucket.level - rate * ((now - bucket.at) / .seconds(1)))
            bucket.at = now
            let room = Double(definition.burst) - bucket.level
            let fits = room >= Double(max(1, cost))
            if fits { bucket.level += Double(cost) }
            buckets[LimitID(key) ^ limit.id] = bucket
            return LimitUse(
                name: limit.name, limit: definition.limit, window: .seconds(seconds),
                remaining: Int64(max(0, Double(definition.burst) - bucket.level)),
                reset: .seconds(bucket.level / rate),
                retryAfter: fits ? nil : .seconds((Double(max(1, cost)) - room) / rate),
                refusal: fits ? nil : .rateLimited, isReportOnly: limit.isReportOnly, kind: .rate)
        }
    }
}
