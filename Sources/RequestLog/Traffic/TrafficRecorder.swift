public import AuthKeys
public import Logging
import Metrics
import Synchronization

/// Collects the counts of requests and writes them, minutes more often than hours. Counts that cannot be written stay
/// and are retried with later ones.
///
/// An orderly exit loses nothing: call `close` after the last `add`. A killed process loses the counts that were not
/// written.
public actor TrafficRecorder {
    /// The time after which an event loop hands over its counts.
    public static let handOverInterval = Duration.seconds(5)
    /// The maximum number of groups in one statement.
    static let batchLimit = 500
    /// The number of waiting groups beyond which times are condensed while the database is away. A group takes some 300
    /// bytes.
    static let groupsLimit = 200_000

    /// The requests of the last seconds.
    public nonisolated let live: LiveTraffic

    private let store: any TrafficStore
    private let tick: Duration
    private let minuteInterval: Duration
    private let hourInterval: Duration
    private let time: TimeSource
    private let logger: Logger

    private let handedOver = Mutex<[TrafficCounts]>([])
    private var backlog = TrafficBacklog()
    /// The batch of which it is not certain that it was written. No other batch may overtake it.
    private var batch: TrafficBatch?
    private var lastNumber: Int64 = 0
    private var isWriting = false
    private var waiters: [CheckedContinuation<Void, Never>] = []

    private let failures = Counter(label: "keyward_request_rollup_write_failures_total")
    private let writes = Timer(label: "keyward_request_rollup_write_seconds")

    /// - Parameters:
    ///   - tick: the interval at which handed over counts are added up, and failed writes are retried.
    public init(
        store: any TrafficStore, tick: Duration = .seconds(10), minuteInterval: Duration = .seconds(60),
        hourInterval: Duration = .seconds(300), time: TimeSource = .system, logger: Logger
    ) {
        live = LiveTraffic(time: time)
        self.store = store
        self.tick = tick
        self.minuteInterval = minuteInterval
        self.hourInterval = hourInterval
        self.time = time
        self.logger = logger
    }

    /// Adds counts. Takes a lock for a moment.
    public nonisolated func add(_ counts: TrafficCounts) {
        if counts.isEmpty { return }
        live.add(counts)
        handedOver.withLock { $0.append(counts) }
    }

    /// Writes at the intervals until the task is cancelled.
    public func run() async {
        var (minutesAt, hoursAt) = (time.uptime(), time.uptime())
        while (try? await time.sleep(tick)) != nil {
            collect()
            let now = time.uptime()
            let (minutesDue, hoursDue) = (now - minutesAt >= minuteInterval, now - hoursAt >= hourInterval)
            guard minutesDue || hoursDue else { continue }
            guard await write(minutes: minutesDue, hours: hoursDue) else { continue }
            if minutesDue { minutesAt = now }
            if hoursDue { hoursAt = now }
        }
    }

    /// Writes everything that was added before the call. Returns false if something could not be written.
    @discardableResult
    public func flush() async -> Bool {
        collect()
        return await write(minutes: true, hours: true)
    }

    /// Writes everything, for at most the given time. Call it after the last `add` and after the end of `run`.
    public func close(within timeout: Duration) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.flush() }
            group.addTask { [time] in try? await time.sleep(timeout) }
            await group.next()
            group.cancelAll()
        }
        let (waiting, unsettled) = (backlog, batch)
        guard unsettled != nil || !waiting.minutes.isEmpty || !waiting.hours.isEmpty else { return }
        logger.warning(
            "roll-ups of requests could not be written before the shutdown",
            metadata: [
                "minutes": .stringConvertible(waiting.minutes.count), "hours": .stringConvertible(waiting.hours.count),
                "requests": .stringConvertible(waiting.requests),
                "requests_in_doubt": .stringConvertible(unsettled?.requests ?? 0),
            ])
    }

    private func collect() {
        let counts = handedOver.withLock { handedOver in
            defer { handedOver = [] }
            return handedOver
        }
        for counts in counts { backlog.add(counts) }
    }

    /// Writes the backlog batch by batch, one call at a time. Returns false after a failure.
    private func write(minutes: Bool, hours: Bool) async -> Bool {
        while isWriting { await withCheckedContinuation { waiters.append($0) } }
        isWriting = true
        defer {
            isWriting = false
            for waiter in waiters { waiter.resume() }
            waiters = []
        }
        let start = time.uptime()
        do throws(StoreError) {
            try await settle()
            var minuteGroups = minutes ? backlog.minutesInOrder[...] : []
            while !minuteGroups.isEmpty {
                let counts = backlog.takeMinutes(minuteGroups.prefix(Self.batchLimit))
                minuteGroups = minuteGroups.dropFirst(Self.batchLimit)
                try await write(.minutes(counts))
            }
            var hourGroups = hours ? backlog.hoursInOrder[...] : []
            while !hourGroups.isEmpty {
                let counts = backlog.takeHours(hourGroups.prefix(Self.batchLimit))
                hourGroups = hourGroups.dropFirst(Self.batchLimit)
                try await write(.hours(counts))
            }
        } catch {
            // A shutdown interrupts the write, and writes the counts with `close`.
            if !Task.isCancelled {
                failures.increment()
                logger.warning("roll-ups of requests could not be written yet", metadata: ["error": "\(error)"])
            }
            backlog.condense(limit: Self.groupsLimit)
            return false
        }
        writes.recordNanoseconds((time.uptime() - start).nanoseconds)
        return true
    }

    private func write(_ content: TrafficBatch.Content) async throws(StoreError) {
        lastNumber += 1
        batch = TrafficBatch(number: lastNumber, content)
        try await settle()
    }

    /// Writes the batch that may not have been written, with its number.
    private func settle() async throws(StoreError) {
        guard let batch else { return }
        try await store.write(batch)
        self.batch = nil
    }
}
