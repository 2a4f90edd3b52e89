public import Logging
import Metrics
import Synchronization

/// Collects what was counted, and has it written at an interval. What cannot be written is kept and tried again with what comes.
///
/// Nothing is lost while the process ends in order: `flush` after the last `add`. A process that is killed loses what it counted
/// since the last interval began.
public final class UsageRecorder: Sendable {
    /// The most keys in one transaction, for which a change of one of them may have to wait: some ten milliseconds.
    private static let batch = 250
    /// How long counters have to hand over once they are asked to.
    private static let handover = Duration.milliseconds(150)

    private let store: any Store
    private let interval: Duration
    private let time: TimeSource
    private let logger: Logger
    private let unwritten = Mutex(Unwritten())
    private let asked = Atomic<UInt64>(0)
    /// Of those who have no ledger of their own.
    private let ledger = Mutex(UsageLedger())

    private let failures = Counter(label: "keyward_usage_write_failures_total")
    private let writes = Timer(label: "keyward_usage_write_seconds")

    /// What is counted, and in no database for all we know.
    private struct Unwritten {
        var pending: [[UsageCount]] = []
        /// What is being written, and by how many.
        var current: [[UsageCount]] = []
        var writers = 0
    }

    public init(
        store: any Store, interval: Duration = .seconds(30), time: TimeSource = .system, logger: Logger
    ) {
        self.store = store
        self.interval = interval
        self.time = time
        self.logger = logger
    }

    /// Another number whenever counters are to hand over what they have.
    public var round: UInt64 { asked.load(ordering: .relaxed) }

    /// Counts a request for whoever has no ledger.
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

    /// Takes counts in.
    public func add(_ counts: [UsageCount]) {
        if !counts.isEmpty { unwritten.withLock { $0.pending.append(counts) } }
    }

    /// Writes at the interval, until the task is cancelled.
    public func run() async {
        while (try? await time.sleep(interval)) != nil {
            guard await collect() else { return }
        }
    }

    /// Has everybody hand over what they counted, and writes it. False if the task was cancelled meanwhile.
    @discardableResult
    public func collect() async -> Bool {
        guard await handOver() else { return false }
        await flush()
        return true
    }

    /// When a key was last used, as far as that was counted here and is not known to be written down; nil if it is not at all.
    func lastUse(of keyID: KeyID) async -> Timestamp? {
        guard await handOver() else { return nil }
        takeLedger()
        let (pending, current) = unwritten.withLock { ($0.pending, $0.current) }
        return [pending, current].joined().joined().lazy.filter { $0.keyID == keyID }.map(\.lastUsedAt).max()
    }

    private func handOver() async -> Bool {
        asked.wrappingAdd(1, ordering: .relaxed)
        return (try? await time.sleep(Self.handover)) != nil
    }

    private func takeLedger() { add(ledger.withLock { $0.take() }) }

    /// Writes what there is now.
    public func flush() async {
        takeLedger()
        let counts = unwritten.withLock { unwritten in
            defer { unwritten.pending = [] }
            unwritten.current += unwritten.pending
            unwritten.writers += 1
            return unwritten.pending
        }
        defer {
            // Freed once the lock is: counters wait for it.
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
                logger.warning("use of keys not written yet", metadata: ["error": "\(error)"])
                add(Array(keys.joined()))
                return
            }
            keys = keys.dropFirst(batch.count)
        }
        writes.recordNanoseconds((time.uptime() - start).nanoseconds)
    }

    /// A count for each secret and day; keys in the order of their ids, the counts of each in the order of day and digest.
    static func byKey(_ counts: [[UsageCount]]) -> [[UsageCount]] {
        var merged: [Place: UsageCount] = [:]
        for count in counts.joined() {
            merged[Place(count), default: UsageCount(empty: count)].add(count)
        }
        let byKey = Dictionary(grouping: merged.values, by: \.keyID)
        return byKey.sorted { $0.key < $1.key }.map { entry in entry.value.sorted { Place($0) < Place($1) } }
    }

    private struct Place: Hashable, Comparable {
        let day: Int32
        let digest: SecretDigest

        init(_ count: UsageCount) {
            day = count.day
            digest = count.digest
        }

        static func < (left: Place, right: Place) -> Bool {
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
