public import Logging
import Metrics
import Synchronization

/// Collects counts and writes them at an interval. Counts that cannot be written stay and are retried with later ones.
///
/// An orderly exit loses nothing: call `flush` after the last `add`. A killed process loses its counts since the last
/// interval began.
public final class UsageRecorder: Sendable {
    /// The maximum number of keys in one transaction, which takes some ten milliseconds. A change of one of the keys
    /// may wait that long.
    private static let batch = 250

    private let store: any UsageStore
    private let interval: Duration
    private let time: TimeSource
    private let logger: Logger
    private let unwritten = Mutex(Unwritten())
    private let counters = Mutex<[UInt64: @Sendable () async -> Void]>([:])
    /// The ledger of callers that have none of their own.
    private let ledger = Mutex(UsageLedger())

    private let failures = Counter(label: "keyward_usage_write_failures_total")
    private let writes = Timer(label: "keyward_usage_write_seconds")

    /// Counts that no database is known to hold.
    private struct Unwritten {
        var pending: [[UsageCount]] = []
        /// The counts being written, and the number of their writers.
        var current: [[UsageCount]] = []
        var writers = 0
    }

    public init(
        store: any UsageStore, interval: Duration = .seconds(30), time: TimeSource = .system, logger: Logger
    ) {
        self.store = store
        self.interval = interval
        self.time = time
        self.logger = logger
    }

    /// A counter that has a ledger of its own.
    public struct CounterID: Sendable, Hashable {
        fileprivate let number: UInt64
    }

    /// Adds a counter.
    /// - Parameter handOver: calls `add` with the counts of the counter, and returns then.
    public func addCounter(_ handOver: @escaping @Sendable () async -> Void) -> CounterID {
        counters.withLock { counters in
            let number = (counters.keys.max() ?? 0) + 1
            counters[number] = handOver
            return CounterID(number: number)
        }
    }

    /// Removes a counter, which is not called again.
    public func removeCounter(_ id: CounterID) {
        counters.withLock { $0[id.number] = nil }
    }

    /// Counts a request for callers without a ledger.
    /// - Parameter agent: the value of its `User-Agent`.
    public func count(
        _ digest: SecretDigest, of keyID: KeyID, at now: Timestamp, address: IPAddress?, agent: String?
    ) {
        ledger.withLock { ledger in
            guard ledger.count(digest, of: keyID, at: now) else { return }
            ledger.note(
                digest, address: address,
                agent: agent.flatMap { Array($0.utf8).withUnsafeBytes { AgentName.read($0) } })
        }
    }

    /// Adds counts.
    public func add(_ counts: [UsageCount]) {
        if !counts.isEmpty { unwritten.withLock { $0.pending.append(counts) } }
    }

    /// Writes at the interval until the task is cancelled.
    public func run() async {
        while (try? await time.sleep(interval)) != nil {
            guard await collect() else { return }
        }
    }

    /// Requests the counts of all counters and writes them. Returns false if the task was cancelled meanwhile.
    @discardableResult
    public func collect() async -> Bool {
        guard await handOver() else { return false }
        await flush()
        return true
    }

    /// Returns the last use of a key that this instance counted and that may not be stored yet; nil if there is none.
    package func lastUse(of keyID: KeyID) async -> Timestamp? {
        guard await handOver() else { return nil }
        takeLedger()
        let (pending, current) = unwritten.withLock { ($0.pending, $0.current) }
        return [pending, current].joined().joined().lazy.filter { $0.keyID == keyID }.map(\.lastUsedAt).max()
    }

    /// Returns the requests of a key on a day that this instance counted and does not write yet.
    package func unwrittenRequests(of keyID: KeyID, on day: Int32) async -> Int64 {
        guard await handOver() else { return 0 }
        takeLedger()
        let pending = unwritten.withLock { $0.pending }
        return pending.joined().lazy.filter { $0.keyID == keyID && $0.day == day }.reduce(0) { $0 + Int64($1.requests) }
    }

    /// Collects the counts of all counters. Returns false if the task was cancelled meanwhile.
    private func handOver() async -> Bool {
        let counters = counters.withLock { Array($0.values) }
        await withTaskGroup(of: Void.self) { group in
            for handOver in counters { group.addTask { await handOver() } }
        }
        return !Task.isCancelled
    }

    private func takeLedger() { add(ledger.withLock { $0.take() }) }

    /// Writes the counts collected so far.
    public func flush() async {
        takeLedger()
        let counts = unwritten.withLock { unwritten in
            defer { unwritten.pending = [] }
            unwritten.current += unwritten.pending
            unwritten.writers += 1
            return unwritten.pending
        }
        defer {
            // Released after the lock, because counters wait for the lock.
            _ = unwritten.withLock { unwritten in
                unwritten.writers -= 1
                let done = unwritten.current
                if unwritten.writers == 0 { unwritten.current = [] }
                return done
            }
        }
        guard !counts.isEmpty else { return }
        let start = time.uptime()
        var keys = Self.byKey(counts)[...]
        while !keys.isEmpty {
            let batch = keys.prefix(Self.batch)
            do throws(StoreError) {
                try await store.record(Array(batch.joined()))
            } catch {
                failures.increment()
                logger.warning("use of keys could not be written yet", metadata: ["error": "\(error)"])
                add(Array(keys.joined()))
                return
            }
            keys = keys.dropFirst(batch.count)
        }
        writes.recordNanoseconds((time.uptime() - start).nanoseconds)
    }

    /// Returns a count for each secret and day. Keys are in the order of their ids, and the counts of a key in the
    /// order of day and digest.
    static func byKey(_ counts: [[UsageCount]]) -> [[UsageCount]] {
        var merged: [DayAndDigest: UsageCount] = [:]
        for count in counts.joined() {
            merged[DayAndDigest(count), default: UsageCount(empty: count)].add(count)
        }
        let byKey = Dictionary(grouping: merged.values, by: \.keyID)
        return byKey.sorted { $0.key < $1.key }.map { entry in
            entry.value.sorted { DayAndDigest($0) < DayAndDigest($1) }
        }
    }

    private struct DayAndDigest: Hashable, Comparable {
        let day: Int32
        let digest: SecretDigest

        init(_ count: UsageCount) {
            day = count.day
            digest = count.digest
        }

        static func < (left: DayAndDigest, right: DayAndDigest) -> Bool {
            (left.day, left.digest.words.0, left.digest.words.1, left.digest.words.2, left.digest.words.3)
                < (right.day, right.digest.words.0, right.digest.words.1, right.digest.words.2, right.digest.words.3)
        }
    }
}

extension UsageCount {
    fileprivate init(empty count: UsageCount) {
        self.init(
            digest: count.digest, keyID: count.keyID, day: count.day, requests: 0,
            lastUsedAt: Timestamp(microseconds: .min))
    }
}
