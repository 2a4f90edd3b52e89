import Logging
import Metrics
import Synchronization

/// Compares the index with the table, range by range, slowly and continuously, independently of the feed. So each
/// difference is found and repaired within one period, whatever its cause.
final class Reconciler: Sendable {
    private let store: any Store
    private let index: KeyIndex
    private let reads: ReadWaiters
    private let period: Duration
    private let time: TimeSource
    private let logger: Logger
    private let current = Mutex<Watermark?>(nil)

    private let passes = Counter(label: "keyward_reconciliation_passes_total")
    private let differences = Counter(label: "keyward_reconciliation_differences_total")

    /// - Parameter period: the duration of one comparison of all keys.
    init(
        store: any Store, index: KeyIndex, reads: ReadWaiters, period: Duration, time: TimeSource, logger: Logger
    ) {
        self.store = store
        self.index = index
        self.reads = reads
        self.period = period
        self.time = time
        self.logger = logger
    }

    /// Records the position up to which the feed has been read.
    func follow(_ watermark: Watermark) {
        current.withLock { $0 = watermark }
    }

    /// Runs until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            let bits = DigestRange.bits(forKeys: index.count)
            for number in 0..<(1 << bits) {
                guard (try? await time.sleep(period / (1 << bits))) != nil else { return }
                let range = DigestRange(number: number, bits: bits)
                // The database is unavailable or incomplete. The next pass compares the range again.
                do throws(StoreError) { try await reconcile(range) } catch {
                    logger.debug("a range of keys could not be compared", metadata: ["error": "\(error)"])
                }
            }
            passes.increment()
        }
    }

    /// Compares one range and repairs differences. Returns the number of repairs.
    @discardableResult
    func reconcile(_ range: DigestRange) async throws(StoreError) -> Int {
        guard let suspects = try await suspects(in: range), !suspects.isEmpty else { return 0 }
        // A change that the feed has not delivered yet is not a difference. From here on, the index's state is older
        // than the second read.
        guard await reads.next() == .worked else { return 0 }
        let held = index.versions(in: range)
        guard let second = try await readEntries(in: range) else { return 0 }
        var repaired = 0
        for (digest, suspect) in suspects {
            if repair(digest, suspect, held: held[digest], now: second[digest]) { repaired += 1 }
        }
        return repaired
    }

    /// A secret for which the index and the first read of the table differ.
    private enum Suspect {
        /// The table has this version, and the index an older one or none.
        case missed(version: UInt32)
        /// The index has an entry that the table lacks.
        case wrong
    }

    private func suspects(in range: DigestRange) async throws(StoreError) -> [SecretDigest: Suspect]? {
        let held = index.versions(in: range)
        guard let rows = try await readEntries(in: range) else { return nil }
        let now = time.now()
        var suspects: [SecretDigest: Suspect] = [:]
        for (digest, entry) in rows {
            switch index.comparison(with: entry, at: now) {
            case .same: break
            case .absent, .older: suspects[digest] = .missed(version: entry.version)
            case .newer, .different: suspects[digest] = .wrong
            }
        }
        for digest in held.keys where rows[digest] == nil { suspects[digest] = .wrong }
        return suspects
    }

    /// Reads all entries of a range; nil if the database is not the one that the feed follows.
    private func readEntries(in range: DigestRange) async throws(StoreError) -> [SecretDigest: KeyEntry]? {
        guard let watermark = current.withLock({ $0 }) else { return nil }
        let rows = Mutex<[SecretDigest: KeyEntry]>([:])
        let batch = try await store.entries(in: range, since: watermark) { entry in
            rows.withLock { $0[entry.digest] = entry }
        }
        if case .broken = watermark.continuity(to: batch.reading) { return nil }
        return rows.withLock { $0 }
    }

    /// Repairs a difference that the second read confirms.
    /// - Parameter held: the version that the index held before the second read.
    private func repair(_ digest: SecretDigest, _ suspect: Suspect, held: UInt32?, now entry: KeyEntry?) -> Bool {
        guard let entry else {
            guard held != nil, let id = index.keyID(of: digest), index.remove(digest) else { return false }
            note(id, "a secret in memory was not in the database, and was removed")
            return true
        }
        let comparison = index.comparison(with: entry, at: time.now())
        let isConfirmed =
            switch (suspect, comparison) {
            case (_, .same): false
            // The feed has been read since, and did not deliver the version of the first read.
            case (.missed(let version), .absent): entry.version >= version
            case (.missed(let version), .older): (held ?? 0) < version
            case (_, .different): true
            // The index held it before the second read, so the table has gone back.
            case (_, .newer): held.map { $0 > entry.version } ?? false
            case (.wrong, .absent), (.wrong, .older): false
            }
        guard isConfirmed, index.repair(entry, from: comparison == .absent ? nil : held) else { return false }
        note(entry.keyID, "a key in memory differed from the database, and was repaired")
        return true
    }

    private func note(_ id: KeyID, _ message: Logger.Message) {
        differences.increment()
        logger.warning(message, metadata: ["key_id": "\(id)"])
    }
}
