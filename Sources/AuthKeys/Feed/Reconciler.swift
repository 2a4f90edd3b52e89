import Logging
import Metrics
import Synchronization

/// Compares the index with the table, range by range, slowly and without end, whatever the feed told: so any difference, whatever
/// its cause, is found and repaired within one period.
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

    /// - Parameter period: the time that one comparison of all keys takes.
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

    /// The feed has been read up to here.
    func follow(_ watermark: Watermark) {
        current.withLock { $0 = watermark }
    }

    /// Goes on until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            let bits = DigestRange.bits(forKeys: index.count)
            for number in 0..<(1 << bits) {
                guard (try? await time.sleep(period / (1 << bits))) != nil else { return }
                let range = DigestRange(number: number, bits: bits)
                // The database is away, or not whole: the next pass comes by again.
                do throws(StoreError) { try await reconcile(range) } catch {
                    logger.debug("a range of keys is not compared", metadata: ["error": "\(error)"])
                }
            }
            passes.increment()
        }
    }

    /// Compares one range, and repairs what is wrong. Returns the number of differences.
    @discardableResult
    func reconcile(_ range: DigestRange) async throws(StoreError) -> Int {
        guard let suspects = try await suspects(in: range), !suspects.isEmpty else { return 0 }
        // What the feed was about to bring is no difference. From here on, what the index holds is older than the second look.
        guard await reads.next() == .worked else { return 0 }
        let held = index.versions(in: range)
        guard let second = try await look(at: range) else { return 0 }
        var repaired = 0
        for (digest, suspect) in suspects {
            if repair(digest, suspect, held: held[digest], now: second[digest]) { repaired += 1 }
        }
        return repaired
    }

    /// A secret on which the index and a first look at the table differ.
    private enum Suspect {
        /// The table has this version, and the index an older one or none.
        case missed(version: UInt32)
        /// The index has something that the table does not have.
        case wrong
    }

    private func suspects(in range: DigestRange) async throws(StoreError) -> [SecretDigest: Suspect]? {
        let held = index.versions(in: range)
        guard let rows = try await look(at: range) else { return nil }
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

    /// All entries of a range; nil where the database is not the one that the feed follows.
    private func look(at range: DigestRange) async throws(StoreError) -> [SecretDigest: KeyEntry]? {
        guard let watermark = current.withLock({ $0 }) else { return nil }
        let rows = Mutex<[SecretDigest: KeyEntry]>([:])
        let batch = try await store.entries(in: range, since: watermark) { entry in
            rows.withLock { $0[entry.digest] = entry }
        }
        if case .broken = watermark.continuity(to: batch.reading) { return nil }
        return rows.withLock { $0 }
    }

    /// Repairs what the second look confirms.
    /// - Parameter held: the version that the index held before the second look.
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
            // The feed has been read since, and did not bring the version of the first look.
            case (.missed(let version), .absent): entry.version >= version
            case (.missed(let version), .older): (held ?? 0) < version
            case (_, .different): true
            // The index held it before the second look, so the table has gone back.
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
