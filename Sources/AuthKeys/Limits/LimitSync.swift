public import Logging
import Metrics
import Synchronization

/// Exchanges units, credits and slots with the database, and reads the definitions of plans and owner limits.
///
/// One call is under way at a time. If the database does not respond for a second, or a call fails, the limiter serves
/// from what it knows. A call for one limit, four times a second, then finds out when the database responds again.
public final class LimitSync: Sendable {
    /// The time between two visits, and between two attempts while the database does not respond.
    static let interval = Duration.milliseconds(250)
    /// The time without a response after which the database counts as absent.
    static let timeout = 1.0
    /// The maximum time between two looks for changed definitions.
    static let definitionAge = Duration.seconds(10)
    /// The time after which a failed read of the definitions is repeated.
    private static let definitionRetry = Duration.seconds(1)
    /// The number of looks after which the definitions are read in any case.
    private static let looksBetweenReads = 30
    /// The time between two removals of full rows.
    static let pruneInterval = Duration.seconds(600)
    /// The time for which a larger number of instances counts. The list of instances is empty after a crash of the
    /// database, until they write their heartbeats.
    static let instancesTime = 10.0

    private struct State {
        /// The start of the call under way.
        var callStart: Double?
        /// The number of instances that counts, and the moment at which there were as many.
        var instances = (count: 1, at: -Double.infinity)
        var turn = 0
        var hasFailed = false
        var definitionsFailed = false
        /// The number of the last look for changed definitions, and that of the look that gave the present ones.
        var looks = (last: 0, accepted: 0)
        var revision: KeyID?

        /// Learns the number of instances. A smaller number counts after some time.
        mutating func observe(instances count: Int, at now: Double) {
            guard count >= instances.count || now - instances.at >= LimitSync.instancesTime else { return }
            instances = (max(1, count), now)
        }
    }

    public let limiter: Limiter
    private let store: any LimitStore
    private let pruner: any LimitStore
    private let instance: KeyID
    private let instances: @Sendable () -> Int?
    private let logger: Logger
    private let state = Mutex(State())
    private let budget: Mutex<TokenBucket>
    private let refreshes: AsyncStream<Void>
    private let refresh: AsyncStream<Void>.Continuation

    private var time: TimeSource { limiter.time }
    private var metrics: LimitMetrics { limiter.metrics }

    /// - Parameters:
    ///   - pruner: the same store by other connections, because pruning takes long; nil for `store`.
    ///   - instance: the identifier of this instance.
    ///   - instances: returns the number of live instances; nil if unknown.
    public init(
        limiter: Limiter, store: any LimitStore, pruner: (any LimitStore)? = nil, instance: KeyID, logger: Logger,
        instances: @escaping @Sendable () -> Int?
    ) {
        self.limiter = limiter
        self.store = store
        self.pruner = pruner ?? store
        self.instance = instance
        self.instances = instances
        self.logger = logger
        let rows = max(1, limiter.options.rows)
        budget = Mutex(TokenBucket(perSecond: rows, burst: rows, now: limiter.time.uptime()))
        (refreshes, refresh) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Records the number of instances before the first heartbeat of this one. Otherwise it would count itself as alone
    /// until then, and admit a whole burst of each limit.
    public func expect(instances: Int) {
        let now = limiter.now
        state.withLock { $0.observe(instances: instances, at: now) }
    }

    // MARK: - Definitions

    /// Requests a read of the definitions, because a plan or an owner's limits may have changed.
    public func refreshDefinitions() { refresh.yield() }

    /// Reads the definitions if they have changed. An instance must not serve before the first read: keys of plans
    /// would be refused. A failure keeps the previous ones.
    ///
    /// Changes that were committed before the call are in effect after it.
    public func readDefinitions() async throws(StoreError) {
        let (number, known) = state.withLock { state in
            state.looks.last += 1
            let isPeriodic = state.looks.last % Self.looksBetweenReads == 0
            return (state.looks.last, isPeriodic ? nil : state.revision)
        }
        guard let definitions = try await store.definitions(unless: known) else { return }
        state.withLock { state in
            // A look that began later has read later definitions.
            guard number > state.looks.accepted else { return }
            state.looks.accepted = number
            state.revision = definitions.revision
            limiter.accept(definitions)
        }
    }

    private func followDefinitions() async {
        for await _ in refreshes {
            do throws(StoreError) {
                try await readDefinitions()
                state.withLock { $0.definitionsFailed = false }
            } catch {
                let isFirst = state.withLock { state in
                    defer { state.definitionsFailed = true }
                    return !state.definitionsFailed
                }
                if isFirst, !Task.isCancelled {
                    logger.warning("plans and owner limits could not be read", metadata: ["error": "\(error)"])
                }
                // Until a read works, the limits of plans and owners may be old ones.
                try? await time.sleep(Self.definitionRetry)
                refresh.yield()
            }
        }
    }

    // MARK: - Running

    /// Runs until the task is cancelled. `end` gives everything back then.
    public func run() async {
        guard limiter.options.mode != .off else {
            await followDefinitions()
            return
        }
        limiter.exchanges.follow(true)
        defer { limiter.exchanges.follow(false) }
        await withDiscardingTaskGroup { group in
            group.addTask { await self.followDefinitions() }
            group.addTask { await self.tick(every: Self.definitionAge) { self.refresh.yield() } }
            group.addTask {
                await self.tick(every: Self.interval) {
                    self.observe()
                    self.limiter.exchanges.expire()
                    self.limiter.wakes.wake()
                }
            }
            group.addTask {
                while (try? await self.time.sleep(Self.pruneInterval)) != nil { await self.prune() }
            }
            for await _ in limiter.wakes.stream {
                limiter.wakes.accept()
                guard let next = await exchange() else { continue }
                // A listed cell is due before the next visit.
                let pause = Duration.seconds(max(0.001, next - limiter.now))
                guard pause < Self.interval else { continue }
                group.addTask {
                    if (try? await self.time.sleep(pause)) != nil { self.limiter.wakes.wake() }
                }
            }
            group.cancelAll()
        }
    }

    private func tick(every interval: Duration, _ body: () -> Void) async {
        while !Task.isCancelled {
            body()
            do { try await time.sleep(interval) } catch { return }
        }
    }

    /// Learns the number of instances, and notices a call without a response.
    func observe() {
        let now = limiter.now
        var circumstances = limiter.circumstances
        let live = instances()
        let (count, isLate) = state.withLock { state in
            if let live { state.observe(instances: live, at: now) }
            return (state.instances.count, state.callStart.map { now - $0 >= Self.timeout } ?? false)
        }
        circumstances.instances = Double(count)
        limiter.accept(circumstances)
        if isLate { setAway(true) }
        metrics.cells.record(limiter.limits.count)
    }

    private func setAway(_ isAway: Bool) {
        var circumstances = limiter.circumstances
        guard isAway != (circumstances.away != nil) else { return }
        circumstances.away = isAway ? limiter.options.away : nil
        limiter.accept(circumstances)
        metrics.away.record(isAway ? 1 : 0)
        if isAway {
            logger.warning("limits are served from memory, because the database does not respond")
        } else {
            logger.info("limits are exchanged with the database again")
        }
    }

    // MARK: - Exchanging

    /// Makes one round of calls. Returns the moment at which the next listed cell is due.
    func exchange() async -> Double? {
        let number = limiter.exchanges.begin()
        let next = await exchangeAll()
        limiter.exchanges.end(number, worked: limiter.isInTouch)
        return next
    }

    private func exchangeAll() async -> Double? {
        let now = limiter.now
        if limiter.circumstances.away != nil {
            guard await responds() else { return nil }
        }
        let turn = state.withLock { state in
            state.turn += 1
            return state.turn
        }
        sweep(turn: turn, at: now)
        let circumstances = limiter.circumstances
        var (limits, next) = limiter.limits.collect(at: now, in: circumstances)
        let credits = limiter.credits.collect(at: now, in: circumstances)
        let slots = limiter.slots.collect(at: now, in: circumstances)
        next = min(next, credits.next, slots.next)
        let affordable = afford(limits.count)
        if affordable < limits.count {
            limits.sort { ($0.urgency, $1.since) > ($1.urgency, $0.since) }
            limiter.limits.list(limits[affordable...])
            next = now + 0.05
        }
        let oldest = limits.lazy.map(\.since).filter { $0 > -.infinity }.min() ?? now
        metrics.lag.record(max(0, now - oldest))
        await settle(limits[..<affordable])
        await leaseCredits(credits.due)
        await renewSlots(slots.due)
        return next < .infinity ? next : nil
    }

    /// Takes up to so many rows from the budget of this second.
    private func afford(_ count: Int) -> Int {
        let now = time.uptime()
        return budget.withLock { budget in
            var most = count
            while most > 0, !budget.take(Double(most), now: now) { most /= 2 }
            return most
        }
    }

    private func sweep(turn: Int, at now: Double) {
        let circumstances = limiter.circumstances
        limiter.limits.sweep(turn: turn, at: now, in: circumstances)
        limiter.credits.sweep(turn: turn, at: now, in: circumstances)
        limiter.slots.sweep(turn: turn, at: now, in: circumstances)
    }

    private func settle(_ due: ArraySlice<CellShards<LimitCell>.Due>) async {
        await inBatches(of: limiter.limits, due) { questions throws(StoreError) in
            let questions = questions.sorted { $0.id < $1.id }
            metrics.overdrawn.increment(by: questions.reduce(0) { $0 + $1.debit })
            let answers = try await store.settle(questions)
            let now = limiter.now
            let circumstances = limiter.circumstances
            for answer in answers {
                _ = limiter.limits.withExistingCell(answer.id) { $0.answer(answer, at: now, in: circumstances) }
            }
            return answers.map(\.id)
        }
    }

    private func leaseCredits(_ due: [CellShards<CreditCell>.Due]) async {
        await inBatches(of: limiter.credits, due[...]) { questions throws(StoreError) in
            let answers = try await store.leaseCredits(questions.sorted { $0.key < $1.key })
            let now = limiter.now
            let circumstances = limiter.circumstances
            for answer in answers {
                _ = limiter.credits.withExistingCell(LimitID(answer.key)) {
                    $0.answer(answer, at: now, in: circumstances)
                }
            }
            return answers.map { LimitID($0.key) }
        }
    }

    private func renewSlots(_ due: [CellShards<SlotCell>.Due]) async {
        await inBatches(of: limiter.slots, due[...]) { questions throws(StoreError) in
            let answers = try await store.renewSlots(questions.sorted { $0.id < $1.id }, of: instance)
            let circumstances = limiter.circumstances
            for answer in answers {
                _ = limiter.slots.withExistingCell(answer.id) { $0.answer(answer, in: circumstances) }
            }
            return answers.map(\.id)
        }
    }

    /// Asks the questions of cells, a statement's worth at a time. `call` returns the cells that have an answer.
    private func inBatches<Cell: SharedCell>(
        of cells: CellShards<Cell>, _ due: ArraySlice<CellShards<Cell>.Due>,
        _ call: ([Cell.Question]) async throws(StoreError) -> [LimitID]
    ) async {
        var rest = due
        while !rest.isEmpty {
            let batch = rest.prefix(LimitQuestion.countLimit)
            rest = rest.dropFirst(batch.count)
            let start = limiter.now
            let questions = cells.questions(of: batch, at: start, in: limiter.circumstances)
            let ids = Set(batch.map(\.id))
            do throws(StoreError) {
                let answered = try await measured(questions.count) { () throws(StoreError) in
                    try await call(questions)
                }
                cells.fail(ids.subtracting(answered), .lacksRow)
            } catch {
                // Cells must not count a debt twice: it is restored before they begin to serve alone.
                cells.fail(ids, QuestionFailure(error))
                failed(error)
                cells.list(rest)
                return
            }
        }
    }

    /// Measures a call, and notices that the database responds.
    private func measured<R>(_ rows: Int, _ call: () async throws(StoreError) -> R) async throws(StoreError) -> R {
        let start = limiter.now
        state.withLock { $0.callStart = start }
        defer { state.withLock { $0.callStart = nil } }
        metrics.statements.increment()
        metrics.rows.increment(by: rows)
        let result = try await call()
        setAway(false)
        metrics.sync.recordNanoseconds(Int64((limiter.now - start) * 1e9))
        return result
    }

    private func failed(_ error: StoreError) {
        // Shutdown cancels the statement.
        if Task.isCancelled { return }
        setAway(true)
        logger.debug("limits could not be exchanged", metadata: ["error": "\(error)"])
    }

    /// Returns true if the database responds: one limit is asked about, without taking anything, or else the revision
    /// of the definitions.
    private func responds() async -> Bool {
        let question = limiter.limits.any.flatMap { limiter.limits.withExistingCell($0) { $0.probe } }
        let revision = state.withLock { $0.revision }
        do throws(StoreError) {
            if let question {
                _ = try await measured(1) { () throws(StoreError) in try await store.settle([question]) }
            } else {
                _ = try await measured(0) { () throws(StoreError) in try await store.definitions(unless: revision) }
            }
            return true
        } catch {
            return false
        }
    }

    private func prune() async {
        do throws(StoreError) {
            try await pruner.prune()
        } catch {
            if Task.isCancelled { return }
            logger.warning("full limits could not be removed", metadata: ["error": "\(error)"])
        }
    }

    /// Reports everything, and gives leases and slots back. Call it after `run` has ended.
    public func end() async {
        guard limiter.options.mode != .off else { return }
        let (now, circumstances) = (limiter.now, limiter.circumstances)
        let limits = limiter.limits.finalQuestions(at: now, in: circumstances).sorted { $0.id < $1.id }
        let credits = limiter.credits.finalQuestions(at: now, in: circumstances).sorted { $0.key < $1.key }
        let slots = limiter.slots.finalQuestions(at: now, in: circumstances).sorted { $0.id < $1.id }
        do throws(StoreError) {
            // Credits first: those of a lost lease are lost.
            try await inBatches(credits) { (batch) throws(StoreError) in _ = try await store.leaseCredits(batch) }
            try await inBatches(limits) { (batch) throws(StoreError) in _ = try await store.settle(batch) }
            try await inBatches(slots) { (batch) throws(StoreError) in
                _ = try await store.renewSlots(batch, of: instance)
            }
        } catch {
            logger.warning("leases of limits and credits could not be given back", metadata: ["error": "\(error)"])
        }
    }

    private func inBatches<Question>(
        _ questions: [Question], _ call: ([Question]) async throws(StoreError) -> Void
    ) async throws(StoreError) {
        var rest = questions[...]
        while !rest.isEmpty {
            try await call(Array(rest.prefix(LimitQuestion.countLimit)))
            rest = rest.dropFirst(LimitQuestion.countLimit)
        }
    }
}
