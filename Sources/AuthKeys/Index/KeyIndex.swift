import Synchronization

/// The in-memory index of all keys, from a token's digest to its key.
///
/// Any thread may read and write. The first bits of the digest select a table, each behind a lock that is held for some
/// tens of nanoseconds. A lookup allocates nothing, and a change copies nothing. Whatever the order of changes, the
/// highest version of a key stays. The revocation of a key or secret stays too, even if the database lost it
/// (`disputedEnds`).
public final class KeyIndex: Sendable {
    private static let shardBits = 8
    private static let shardCount = 1 << shardBits

    /// Each table behind its lock, in memory that is allocated once and never moves. A table is only accessed with its
    /// lock held (`withTable`), which makes it safe to share the pointer. The compiler sees lock and table as two
    /// objects, since many threads use the lock while one changes the table. They are adjacent in memory and in the
    /// cache.
    private struct Shards: @unchecked Sendable {
        private static let tableOffset = max(MemoryLayout<Mutex<Void>>.stride, MemoryLayout<KeyTable>.alignment)
        static let stride = tableOffset + MemoryLayout<KeyTable>.stride

        private let base: UnsafeMutableRawPointer

        init(count: Int, skippedBits: Int) {
            base = .allocate(byteCount: count * Self.stride, alignment: 64)
            for number in 0..<count {
                (base + number * Self.stride).bindMemory(to: Mutex<Void>.self, capacity: 1).initialize(to: Mutex(()))
                (base + number * Self.stride + Self.tableOffset).bindMemory(to: KeyTable.self, capacity: 1)
                    .initialize(to: KeyTable(skippedBits: skippedBits))
            }
        }

        func deallocate(count: Int) {
            for number in 0..<count {
                table(number).deinitialize(count: 1)
                lock(number).deinitialize(count: 1)
            }
            base.deallocate()
        }

        @inline(__always)
        func lock(_ number: Int) -> UnsafeMutablePointer<Mutex<Void>> {
            (base + number * Self.stride).assumingMemoryBound(to: Mutex<Void>.self)
        }

        @inline(__always)
        func table(_ number: Int) -> UnsafeMutablePointer<KeyTable> {
            (base + number * Self.stride + Self.tableOffset).assumingMemoryBound(to: KeyTable.self)
        }
    }

    /// The schemes that map tokens of other systems to digests.
    public let schemes = TokenSchemes()

    private let shards: Shards
    private let generation = Atomic<UInt16>(0)
    private let changes = Atomic<UInt64>(0)
    private let disputes = Mutex<[SecretDigest: DisputedEnd]>([:])
    private let hasDisputes = Atomic<Bool>(false)

    public init() {
        shards = Shards(count: Self.shardCount, skippedBits: Self.shardBits)
    }

    deinit {
        shards.deallocate(count: Self.shardCount)
    }

    /// Calls `body` with the key of a digest, or returns nil if the key is unknown or deleted. The table is locked
    /// meanwhile: `body` must be short, and must not keep the view.
    @inline(__always)
    public func withKey<R: Sendable>(for digest: SecretDigest, _ body: (KeyView) -> R) -> R? {
        withTable(of: digest) { table in
            guard let number = table.find(digest.words) else { return nil }
            let slot = table.slot(at: number)
            guard let state = slot.state, state != .deleted else { return nil }
            return body(KeyView(slot: slot, state: state, details: table.details(of: slot)))
        }
    }

    /// True if the index has the digest, even of a deleted key.
    func holds(_ digest: SecretDigest) -> Bool { state(of: digest) != nil }

    /// Returns the state of the key of a digest, deleted ones included; nil if the index never had it.
    func state(of digest: SecretDigest) -> KeyEntry.State? {
        withTable(of: digest) { table in table.find(digest.words).flatMap { table.slot(at: $0).state } }
    }

    /// Applies a change. Returns false if the index already held that version of the key, or a newer one.
    @discardableResult
    public func apply(_ entry: KeyEntry) -> Bool {
        apply(entry, .change)
    }

    /// Applies an entry of the change feed, which has the database's form of a change.
    @discardableResult
    func follow(_ entry: KeyEntry) -> Bool {
        apply(entry, .feed)
    }

    /// Applies an entry of a full load. It replaces an entry from before the load, whatever its version, but not a
    /// revocation.
    /// - Parameter acceptsDatabase: whether revocations that the load denies are forgotten.
    @discardableResult
    public func load(_ entry: KeyEntry, acceptsDatabase: Bool = false) -> Bool {
        apply(entry, acceptsDatabase ? .acceptingLoad : .load)
    }

    /// Replaces a wrong entry by the database's, but not a revocation, nor an entry that changed since the comparison.
    /// - Parameter version: the version of the compared entry; nil if there was none.
    @discardableResult
    func repair(_ entry: KeyEntry, from version: UInt32?) -> Bool {
        apply(entry, .repair) { table in table.find(entry.digest.words).map { table.slot(at: $0).version } == version }
    }

    /// Removes an entry that the database lacks, unless it is a revocation.
    @discardableResult
    func remove(_ digest: SecretDigest) -> Bool {
        let isRemoved = withTable(of: digest) { $0.remove(digest) }
        if isRemoved { changes.wrappingAdd(1, ordering: .releasing) }
        return isRemoved
    }

    /// Begins a full load: `finishLoad` removes entries that neither the load nor a later change delivers. One load at
    /// a time.
    public func beginLoad() {
        generation.wrappingAdd(1, ordering: .relaxed)
    }

    /// Returns the number of entries that `finishLoad` would remove now, revocations excluded.
    func countUnseen() -> Int {
        let generation = generation.load(ordering: .relaxed)
        return sum { $0.countUnseen(by: generation) }
    }

    /// Ends a full load that read everything. Revocations that it did not see stay, unless they are forgotten.
    /// - Returns: the number of entries removed.
    @discardableResult
    public func finishLoad(acceptsDatabase: Bool = false) -> Int {
        let generation = generation.load(ordering: .relaxed)
        let removed = sum { $0.sweep(keeping: generation, forgettingEnds: acceptsDatabase) }
        if acceptsDatabase { disputes.withLock { $0.removeAll() } }
        if removed > 0 { changes.wrappingAdd(1, ordering: .releasing) }
        return removed
    }

    /// The revocations that the index holds and the database denied, as of the last entry of each secret.
    var disputedEnds: [DisputedEnd] { disputes.withLock { Array($0.values) } }

    /// The number of `disputedEnds`.
    public var disputedEndCount: Int { disputes.withLock { $0.count } }

    func comparison(with entry: KeyEntry, at now: Timestamp) -> EntryComparison {
        withTable(of: entry.digest) { $0.comparison(with: entry, at: now) }
    }

    /// Returns the secrets in a range that are not deleted, with the versions of their keys.
    func versions(in range: DigestRange) -> [SecretDigest: UInt32] {
        withTable(Int(range.first >> UInt64(64 - Self.shardBits))) { table in
            var versions: [SecretDigest: UInt32] = [:]
            table.forEach(in: range) { versions[$0] = $1 }
            return versions
        }
    }

    /// Returns the key id of a secret, also of a deleted key.
    func keyID(of digest: SecretDigest) -> KeyID? {
        withTable(of: digest) { table in
            table.find(digest.words).map { KeyID(high: table.slot(at: $0).id.0, low: table.slot(at: $0).id.1) }
        }
    }

    /// A number that every change replaces by another, so that callers can detect changes.
    public var revision: UInt64 { changes.load(ordering: .acquiring) }

    /// Reserves memory for this number of keys.
    public func reserve(_ keys: Int) {
        _ = sum {
            $0.reserve(keys / Self.shardCount)
            return 0
        }
    }

    /// The number of secrets of keys that are not deleted.
    public var count: Int { sum { $0.count - $0.tombstones } }

    /// The allocated memory in bytes.
    public var memory: Int { Self.shardCount * Shards.stride + sum { $0.memory } }

    private func apply(
        _ entry: KeyEntry, _ mode: ApplyMode, if condition: (inout KeyTable) -> Bool = { _ in true }
    ) -> Bool {
        let generation = generation.load(ordering: .relaxed)
        let outcome = withTable(of: entry.digest) { table in
            condition(&table) ? table.apply(entry, generation: generation, mode: mode) : ApplyOutcome()
        }
        note(outcome.dispute, of: entry)
        if outcome.isChange { changes.wrappingAdd(1, ordering: .releasing) }
        return outcome.isChange
    }

    private func note(_ dispute: ApplyOutcome.Dispute, of entry: KeyEntry) {
        switch dispute {
        case .raised(let kind):
            disputes.withLock {
                $0[entry.digest] = DisputedEnd(digest: entry.digest, keyID: entry.keyID, kind: kind)
                hasDisputes.store(true, ordering: .relaxed)
            }
        case .settled where hasDisputes.load(ordering: .relaxed):
            disputes.withLock {
                $0[entry.digest] = nil
                hasDisputes.store(!$0.isEmpty, ordering: .relaxed)
            }
        case .settled, .unchanged: break
        }
    }

    private func sum(_ value: (inout KeyTable) -> Int) -> Int {
        (0..<Self.shardCount).reduce(0) { $0 + withTable($1, value) }
    }

    @inline(__always)
    private func withTable<R: Sendable>(of digest: SecretDigest, _ body: (inout KeyTable) -> R) -> R {
        withTable(Int(digest.words.0 >> UInt64(64 - Self.shardBits)), body)
    }

    @inline(__always)
    private func withTable<R: Sendable>(_ number: Int, _ body: (inout KeyTable) -> R) -> R {
        let table = shards.table(number)
        return shards.lock(number).pointee.withLock { _ in body(&table.pointee) }
    }
}
