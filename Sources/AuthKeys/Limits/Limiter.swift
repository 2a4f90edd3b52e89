public import Logging
import Synchronization

/// Decides whether the limits of a key have room for a request, and takes its units from them.
public final class Limiter: Sendable {
    private struct Bucket {
        var definition: LimitDefinition
        var level = 0.0
        var at: Duration
    }

    let options: LimitOptions
    private let time: TimeSource
    private let buckets = Mutex<[LimitID: Bucket]>([:])

    public init(
        options: LimitOptions = LimitOptions(), time: TimeSource = .system,
        logger: Logger = Logger(label: "keyward.limits")
    ) {
        self.options = options
        self.time = time
    }

    /// True if any owner has limits, so that the limits of keys without a policy have to be looked up too.
    public var hasOwnerLimits: Bool { false }

    /// Returns true if a plan or an owner has a limit of this name.
    func defines(_ name: [UInt8], plan: PlanID?, owner: UnsafeRawBufferPointer) -> Bool { false }

    /// Takes the units of a request from all limits that apply to it, or from none of them.
    ///
    /// Calls `body` once, with the refusal of the first enforced limit without room, or nil, and with the state of each
    /// limit that applies. The index is locked meanwhile.
    /// - Parameters:
    ///   - plan: the plan of the key.
    ///   - limits: the key's own limits (`LimitBytes`).
    ///   - hasCredits: true if the request spends credits of the key.
    ///   - version: the version of the key's entry. If it changes, the key may have other credits.
    ///   - reportOnly: the report-only rules of the key.
    func take<R>(
        plan: PlanID?, limits: UnsafeRawBufferPointer, hasCredits: Bool, key: KeyID, owner: UnsafeRawBufferPointer,
        for request: AccessRequest, version: UInt32 = 0, reportOnly: PolicyRules = [],
        _ body: (Refusal?, LimitUses) -> R
    ) -> R {
        guard options.mode != .off, !request.spending.isNone else { return body(nil, .none) }
        let now = time.uptime()
        let path = PathPattern.unambiguous(request.path)
        let reports = options.mode == .report || reportOnly.contains(.limits)
        return withUnsafeTemporaryAllocation(of: LimitUse.self, capacity: Int(limits.first ?? 0)) { uses in
            var used = 0
            var refusal: Refusal?
            LimitBytes.forEach(in: limits) { limit in
                let asked = request.spending.asked.first { limit.name.elementsEqual($0.name) }
                guard !limit.isAsked || asked != nil, limit.matches(method: request.method, path: path) else { return }
                let use = take(
                    limit, key: key, cost: asked?.cost ?? request.spending.cost, reports: reports, at: now)
                if !use.isReportOnly { refusal = refusal ?? use.refusal }
                uses.initializeElement(at: used, to: use)
                used += 1
            }
            return body(refusal, LimitUses(UnsafeBufferPointer(rebasing: uses[..<used])))
        }
    }

    private func take(_ limit: LimitView, key: KeyID, cost: Int64, reports: Bool, at now: Duration) -> LimitUse {
        let definition = limit.definition
        let seconds = definition.rate == nil ? 3_600.0 : Double(definition.period) / 1_000_000
        let rate = Double(definition.limit) / seconds
        let (level, room, fits) = buckets.withLock { buckets in
            var bucket = buckets[LimitID(key) ^ limit.id] ?? Bucket(definition: definition, at: now)
            bucket.level = max(0, bucket.level - rate * ((now - bucket.at) / .seconds(1)))
            bucket.at = now
            let room = Double(definition.burst) - bucket.level
            let fits = room >= Double(max(1, cost))
            if fits { bucket.level += Double(cost) }
            buckets[LimitID(key) ^ limit.id] = bucket
            return (bucket.level, room, fits)
        }
        return LimitUse(
            name: limit.name, limit: definition.limit, window: .seconds(seconds),
            remaining: Int64(max(0, Double(definition.burst) - level)), reset: .seconds(level / rate),
            retryAfter: fits ? nil : .seconds((Double(max(1, cost)) - room) / rate),
            refusal: fits ? nil : .rateLimited, isReportOnly: limit.isReportOnly || reports, kind: .rate)
    }

    /// Gives back the slots of a request that ended. The ticket is empty then, so that it gives nothing back twice.
    public func release(_ ticket: inout LimitTicket) {
        ticket = LimitTicket()
    }
}
