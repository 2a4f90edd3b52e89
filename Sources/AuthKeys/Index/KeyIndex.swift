import Synchronization

/// All keys that verification may meet, in memory: from a token's digest to its key.
///
/// Any thread may read and write. The index is split by the first bits of the digest into tables, each behind a lock that is
/// held for some tens of nanoseconds; nothing is allocated to look a key up, and nothing is copied to change one.
/// Whatever the order in which changes arrive, the highest version of a key stays, and the end of a key or secret stays, even if
/// the database lost it (`disputedEnds`).
public final class KeyIndex: Sendable {
    private static let shardBits = 8
    private static let shardCount = 1 << shardBits

    /// Each table behind its lock, in memory that is allocated once and never moves. A table is only reached with its lock
    /// held (`withTable`), which is what makes sharing the pointer safe. Lock and table are two objects to the compiler, since
    /// one is read by all while the other is changed by one; they stand side by side, in the cache too.
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

    /// How tokens that Keyward did not make become digests.
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

    /// Calls `body` with the key behind a digest, or returns nil if there is none (a deleted one counts as none). The index
    /// waits meanwhile: `body` must be short, and keep nothing of the view.
    @inline(__always)
    public func withKey<R: Sendable>(for digest: SecretDigest, _ body: (KeyView) -> R) -> R? {
        withTable(of: digest) { table in
            guard let place = table.find(digest.words) else { return nil }
            let slot = table.slot(at: place)
            guard let state = slot.state, state != .deleted else { return nil }
            return body(KeyView(slot: slot, state: state, details: table.details(of: slot)))
        }
    }

    /// Whether the index knows the digest, also as a deleted key's.
    func holds(_ digest: SecretDigest) -> Bool { state(of: digest) != nil }

    /// The state of the key behind a digest, a deleted one too; nil if there never was one, as far as the index knows.
    func state(of digest: SecretDigest) -> KeyEntry.State? {
        withTable(of: digest) { table in table.find(digest.words).flatMap { table.slot(at: $0).state } }
    }

    /// Applies a change. False if the index held that version of the key, or a newer one, already.
    @discardableResult
    public func apply(_ entry: KeyEntry) -> Bool {
        apply(entry, .change)
    }

    /// Applies an entry of the change feed, which is the database's form of a change.
    @discardableResult
    func follow(_ entry: KeyEntry) -> Bool {
        apply(entry, .feed)
    }

    /// Applies an entry of a full load: it replaces what the index held before the load began, whatever its version, but not an end.
    /// - Parameter acceptsDatabase: whether ends that the load denies are forgotten.
    @discardableResult
    public func load(_ entry: KeyEntry, acceptsDatabase: Bool = false) -> Bool {
        apply(entry, acceptsDatabase ? .acceptingLoad : .load)
    }

    /// Replaces a wrong entry by the database's, but not an end, nor one that has changed since it was compared.
    /// - Parameter version: the version of the entry that was compared; nil where there was none.
    @discardableResult
    func repair(_ entry: KeyEntry, from version: UInt32?) -> Bool {
        apply(entry, .repair) { table in table.find(entry.digest.words).map { table.slot(at: $0).version } == version }
    }

    /// Removes an entry that the database does not hold, unless it is an end.
    @discardableResult
    func remove(_ digest: SecretDigest) -> Bool {
        let isRemoved = withTable(of: digest) { $0.remove(digest) }
        if isRemoved { changes.wrappingAdd(1, ordering: .releasing) }
        return isRemoved
    }

    /// Begins a full load: `finishLoad` removes what neither it nor any change brings from here on. One load at a time.
    public func beginLoad() {
        generation.wrappingAdd(1, ordering: .relaxed)
    }

    /// The number of entries that `finishLoad` would remove now, ends not counted.
    func countUnseen() -> Int {
        let generation = generation.load(ordering: .relaxed)
        return sum { $0.countUnseen(by: generation) }
    }

    /// Ends a full load that saw everything. Ends that it did not see stay, unless they are forgotten.
    /// - Returns: the number of entries removed.
    @discardableResult
    public func finishLoad(acceptsDatabase: Bool = false) -> Int {
        let generation = generation.load(ordering: .relaxed)
        let removed = sum { $0.sweep(keeping: generation, forgettingEnds: acceptsDatabase) }
        if acceptsDatabase { disputes.withLock { $0.removeAll() } }
        if removed > 0 { changes.wrappingAdd(1, ordering: .releasing) }
        return removed
    }

    /// The ends that the index holds and the database denied, as of the last entry of each secret.
    var disputedEnds: [DisputedEnd] { disputes.withLock { Array($0.values) } }

    /// The number of `disputedEnds`.
    public var disputedEndCount: Int { disputes.withLock { $0.count } }

    func comparison(with entry: KeyEntry, at now: Timestamp) -> EntryComparison {
        withTable(of: entry.digest) { $0.comparison(with: entry, at: now) }
    }

    /// The secrets in a range that are not deleted, with the versions of their keys.
    func versions(in range: DigestRange) -> [SecretDigest: UInt32] {
        withTable(Int(range.first >> UInt64(64 - Self.shardBits))) { table in
            var versions: [SecretDigest: UInt32] = [:]
            table.forEach(in: range) { versions[$0] = $1 }
            return versions
        }
    }

    /// The key of a secret, a deleted one's too.
    func keyID(of digest: SecretDigest) -> KeyID? {
        withTable(of: digest) { table in
            table.find(digest.words).map { KeyID(high: table.slot(at: $0).id.0, low: table.slot(at: $0).id.1) }
        }
    }

    /// Another number after every change: for whoever wants to know whether to look again.
    public var revision: UInt64 { changes.load(ordering: .acquiring) }

    /// Makes room for as many keys.
    public func reserve(_ keys: Int) {
        _ = sum {
            $0.reserve(keys / Self.shardCount)
            return 0
        }
    }

    /// Secrets that belong to a key that was not deleted.
    public var count: Int { sum { $0.count - $0.tombstones } }

    /// Bytes of memory held.
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
