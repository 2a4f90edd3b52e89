public import Logging
import Metrics
import Synchronization

/// Decides whether the limits of a key have room for a request, and takes its units from them.
///
/// `take` does no input or output. `LimitSync` exchanges units with the database.
public final class Limiter: Sendable {
    let options: LimitOptions
    let time: TimeSource
    let metrics = LimitMetrics()
    let limits: CellShards<LimitCell>
    let credits: CellShards<CreditCell>
    let slots: CellShards<SlotCell>
    /// The maximum wait of a request for an exchange. A client waits much longer for a database that does not respond
    /// than it gains by the units.
    private static let waitLimit = Duration.milliseconds(500)
    private let overflow = OverflowBuckets()
    private let table = Mutex(PlanTable.empty)
    private let ownersExist = Atomic(false)
    /// The number of instances, and the number of the away mode in the upper half.
    private let shared = Atomic<UInt64>(1)
    private let planReports: PlanReports
    let wakes: LimitWakes
    /// The exchanges with the database, which callers can wait for.
    let exchanges: ReadWaiters

    public init(
        options: LimitOptions = LimitOptions(), time: TimeSource = .system,
        logger: Logger = Logger(label: "keyward.limits")
    ) {
        let wakes = LimitWakes()
        self.options = options
        self.time = time
        self.wakes = wakes
        exchanges = ReadWaiters(time: time)
        planReports = PlanReports(logger: logger)
        limits = CellShards(limit: options.cells) { wakes.wake() }
        credits = CellShards(limit: options.cells) { wakes.wake() }
        slots = CellShards(limit: options.cells) { wakes.wake() }
    }

    /// The uptime in seconds.
    @inline(__always)
    var now: Double {
        // Much faster than the conversion of a 128-bit number.
        let (seconds, attoseconds) = time.uptime().components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }

    var circumstances: LimitCircumstances {
        let number = shared.load(ordering: .relaxed)
        return LimitCircumstances(
            instances: Double(number & 0xFFFF_FFFF),
            away: number >> 32 == 0 ? nil : LimitOptions.Away.allCases[Int(number >> 32) - 1])
    }

    func accept(_ circumstances: LimitCircumstances) {
        let code = circumstances.away.flatMap { LimitOptions.Away.allCases.firstIndex(of: $0) }.map { $0 + 1 } ?? 0
        let instances = UInt64(circumstances.instances.clamped(1, 1e6))
        shared.store(UInt64(code) << 32 | instances, ordering: .relaxed)
    }

    /// True if any owner has limits, so that the limits of keys without a policy have to be looked up too.
    public var hasOwnerLimits: Bool { ownersExist.load(ordering: .relaxed) }

    /// Replaces the definitions of plans and owner limits.
    public func accept(_ definitions: LimitDefinitions) {
        let new = PlanTable(definitions)
        table.withLock { $0 = new }
        ownersExist.store(!new.owners.isEmpty, ordering: .relaxed)
    }

    // MARK: - Taking

    /// Takes the units of a request from all limits that apply to it, or from none of them.
    ///
    /// Calls `body` once, with the refusal of the first enforced limit without room, or nil, and with the state of each
    /// limit that applies. The index is locked meanwhile. A request of a key whose plan does not exist or is invalid is
    /// refused as that of an inactive key.
    /// - Parameters:
    ///   - plan: the plan of the key.
    ///   - limits: the key's own limits (`LimitBytes`).
    ///   - hasCredits: true if the request spends credits of the key.
    ///   - version: the version of the key's entry. If it changes, the key may have other credits.
    ///   - reportOnly: the report-only rules of the key.
    ///   - mayWait: true if the caller waits for answers of the database (`LimitUses.awaitsAnswer`) and takes again.
    package func take<R>(
        plan: PlanID?, limits: UnsafeRawBufferPointer, hasCredits: Bool, key: KeyID, owner: UnsafeRawBufferPointer,
        for request: AccessRequest, version: UInt32 = 0, reportOnly: PolicyRules = [],
        mayWait: Bool = false, _ body: (Refusal?, LimitUses) -> R
    ) -> R {
        guard options.mode != .off, !request.spending.isNone else { return body(nil, .none) }
        return withLimits(of: key, plan: plan, own: limits, owner: owner) { applicable, missing in
            if let missing {
                planReports.report(missing, at: now)
                return body(.inactive, .none)
            }
            return withUnsafeTemporaryAllocation(of: LimitRecord.self, capacity: applicable.count + 1) { records in
                var taking = LimitTaking(
                    self, request, key: key, version: version, records: records,
                    reportOnly: options.mode == .report ? [.init(.limits), .init(.credits)] : reportOnly,
                    mayWait: mayWait)
                taking.take(applicable)
                if hasCredits { taking.takeCredits() }
                if request.spending.holdsSlots || request.spending.showsSlots { taking.takeSlots(applicable) }
                taking.finish()
                return body(taking.refusal, taking.uses)
            }
        }
    }

    /// True while the database responds.
    var isInTouch: Bool { circumstances.away == nil }

    /// Returns the cells of a key for whose answers a request may wait.
    package func awaited(
        plan: PlanID?, limits own: UnsafeRawBufferPointer, hasCredits: Bool, key: KeyID, owner: UnsafeRawBufferPointer
    ) -> AwaitedCells {
        var found = AwaitedCells()
        withLimits(of: key, plan: plan, own: own, owner: owner) { applicable, _ in
            applicable.visit { _, id, _ in found.limits.append(id) }
        }
        if hasCredits { found.credits = LimitID(key) }
        return found
    }

    /// Waits until the database has answered the questions of cells, for at most two seconds. Returns at once while the
    /// database does not respond.
    package func answers(of cells: AwaitedCells) async {
        // A cell asks a moment after its last question, which may be after the next exchange.
        for _ in 0..<2 where isInTouch && isAwaiting(cells) { _ = await exchanges.next(within: Self.waitLimit) }
    }

    private func isAwaiting(_ cells: AwaitedCells) -> Bool {
        cells.limits.contains { id in
            limits.withExistingCell(id) { $0.isAwaited } ?? false
                || slots.withExistingCell(id) { $0.isAwaited } ?? false
        }
            || cells.credits.flatMap { credits.withExistingCell($0) { $0.isAwaited } } ?? false
    }

    /// Returns the units of a limit that this instance has taken and the database does not know of. Negative for units
    /// that it leased and has not taken.
    package func beyondRow(_ id: LimitID, of rule: LimitRule) -> Double {
        let (now, circumstances) = (now, circumstances)
        if rule.kind == .concurrent { return slots.withExistingCell(id) { Double($0.beyondRow) } ?? 0 }
        let units = limits.withExistingCell(id) { cell in
            cell.refresh(at: now, in: circumstances)
            return cell.beyondRow
        }
        return units ?? 0
    }

    /// Forgets the units of a limit that this instance took and has not reported, because an admin reset the limit.
    package func forgive(_ id: LimitID) { _ = limits.withExistingCell(id) { $0.forgive() } }

    /// Gives back the slots of a request that ended. The ticket is empty then, so that it gives nothing back twice.
    public func release(_ ticket: inout LimitTicket) {
        ticket.drain { id in _ = slots.withExistingCell(id) { $0.release() } }
    }

    /// Calls `body` with the limits of a key, or with the plan or owner whose limits are missing or invalid.
    @inline(__always)
    func withLimits<R>(
        of key: KeyID, plan: PlanID?, own: UnsafeRawBufferPointer, owner: UnsafeRawBufferPointer,
        _ body: (ApplicableLimits, PlanReports.Missing?) -> R
    ) -> R {
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        // Most keys have only limits of their own, and need no lock here.
        guard plan != nil || hasOwnerLimits else {
            return body(ApplicableLimits(key: key, own: own, plan: none, owner: none, owners: .none), nil)
        }
        let table = table.withLock { $0 }
        let invalid = table.owners.invalidOwner(of: owner).map { PlanReports.Missing.owner($0) }
        guard let plan else {
            return body(ApplicableLimits(key: key, own: own, plan: none, owner: owner, owners: table.owners), invalid)
        }
        let found = table[plan]
        return (found?.limits ?? []).withUnsafeBytes { limits in
            let applicable = ApplicableLimits(key: key, own: own, plan: limits, owner: owner, owners: table.owners)
            return body(applicable, found?.isValid == true ? invalid : .plan(plan, name: found?.name))
        }
    }

    /// Serves a limit that the table has no room for.
    func takeFromOverflow(
        _ cost: Double, of id: LimitID, terms: LimitTerms, at now: Double, in circumstances: LimitCircumstances
    ) -> (remaining: Double, wait: Double) {
        metrics.overflowed.increment()
        return overflow.take(cost, of: id, terms: terms, at: now, in: circumstances)
    }
}
