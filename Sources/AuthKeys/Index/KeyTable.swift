import Glibc

/// An open-addressing table from digest to key, sorted by digest.
///
/// Digests are uniform, so their first bits give each entry its home. Colliding entries move to the right, and the
/// table stays sorted. A search ends at the first larger digest, found or not, and growing is one pass over memory.
/// Invariant: no entry is left of its home, and no free slot lies between an entry and its home.
struct KeyTable: ~Copyable {
    private var slots: UnsafeMutablePointer<KeySlot>?
    /// The number of homes. The slots behind them hold entries that spill over the last one.
    private var homes = 0
    private var total = 0
    private var arena = DetailArena()
    /// The number of entries, tombstones included.
    private(set) var count = 0
    /// The number of tombstones.
    private(set) var tombstones = 0

    /// The number of leading digest bits that select this table, and so say nothing about the slot.
    private let skippedBits: UInt64

    init(skippedBits: Int) {
        self.skippedBits = UInt64(skippedBits)
    }

    deinit {
        free(slots)
    }

    /// The allocated memory in bytes.
    var memory: Int { total * MemoryLayout<KeySlot>.stride + arena.capacity }

    @inline(__always)
    func find(_ digest: (UInt64, UInt64, UInt64, UInt64)) -> Int? {
        guard let slots else { return nil }
        var index = home(of: digest)
        while index < total {
            let slot = slots + index
            if slot.pointee.isFree { return nil }
            if slot.pointee.digest.0 >= digest.0 {
                if slot.pointee.holds(digest) { return index }
                if !slot.pointee.precedes(digest) { return nil }
            }
            index += 1
        }
        return nil
    }

    /// Returns the slot at an index that `find` returned.
    @inline(__always)
    func slot(at index: Int) -> KeySlot {
        slots?[index] ?? .free
    }

    /// The address of a slot's texts, for `KeyTexts`.
    @inline(__always)
    func details(of slot: KeySlot) -> UnsafeRawPointer? {
        arena.pointer(at: slot.details)
    }

    /// Applies an entry, unless the table's entry takes precedence. Changes nothing if memory is exhausted.
    ///
    /// A higher version takes precedence over a lower one. A revocation of a key or secret is permanent, and takes
    /// precedence over anything else. A full load takes precedence over all other entries from before it began,
    /// whatever their versions. Versions restart in a database that was restored or failed over.
    mutating func apply(_ entry: KeyEntry, generation: UInt16, mode: ApplyMode) -> ApplyOutcome {
        guard let index = find(entry.digest.words), let slots else { return insert(entry, generation: generation) }
        let slot = slots + index
        let isFromBefore = slot.pointee.generation != generation & KeySlot.generationMask
        slot.pointee.generation = generation
        // A row that was read before the table's entry arrived proves nothing against it.
        let isStale =
            mode.isChange && entry.version < slot.pointee.version || mode == .load && !isFromBefore
        // A revocation settles a dispute whatever its version: the database may count from an older one.
        var (entry, dispute) = (entry, isStale && !entry.state.isFinal ? ApplyOutcome.Dispute.unchanged : .settled)
        if mode != .acceptingLoad, !entry.state.isFinal {
            switch slot.pointee.state {
            case .deactivated: return ApplyOutcome(dispute: isStale ? .unchanged : .raised(.key))
            // The row of one secret is gone, which is not the revocation of its key.
            case .deleted:
                if entry.hasEnded(at: .now) { return ApplyOutcome(dispute: .settled) }
                return ApplyOutcome(dispute: isStale ? .unchanged : .raised(.secret(at: .ended)))
            case .active, .disabled, nil: break
            }
            if let end = slot.pointee.secretEnd, !entry.keepsEnd(end) {
                if !isStale, !entry.hasEnded(at: .now) { dispute = .raised(.secret(at: end)) }
                entry = entry.ending(at: end)
            }
        }
        let ends = entry.state.isFinal && slot.pointee.state?.isFinal == false
        let isOtherForm =
            mode == .feed && slot.pointee.version == entry.version
            && (slot.pointee.content != KeySlot.meta(of: entry, generation: 0)
                || !arena.holds(entry, at: slot.pointee.details))
        guard
            slot.pointee.version < entry.version || ends || isOtherForm || mode.isLoad && isFromBefore
                || mode == .repair
        else { return ApplyOutcome(dispute: dispute) }
        replace(slot, with: entry, generation: generation, setsVersion: !mode.isChange)
        return ApplyOutcome(isChange: true, dispute: dispute)
    }

    private mutating func insert(_ entry: KeyEntry, generation: UInt16) -> ApplyOutcome {
        if (count + 1) * 20 > homes * 17 { rebuild(homes: max(8, homes + homes / 8, count + 1)) }
        while true {
            guard let details = arena.append(entry) else { return ApplyOutcome() }
            let slot = KeySlot(
                digest: entry.digest.words, id: (entry.keyID.high, entry.keyID.low),
                meta: KeySlot.meta(of: entry, generation: generation),
                version: entry.version, details: details)
            if insert(slot) { break }
            // A rebuild drops texts that no slot refers to, so these must be appended again.
            arena.waste(at: details)
            let before = homes
            rebuild(homes: homes + homes / 8 + 1)
            if homes == before { return ApplyOutcome() }
        }
        count += 1
        if entry.state == .deleted { tombstones += 1 }
        return ApplyOutcome(isChange: true)
    }

    /// Returns the number of entries that a sweep for this generation would remove, revocations excluded.
    func countUnseen(by generation: UInt16) -> Int {
        guard let slots else { return 0 }
        return (0..<total).count { slots[$0].isUnseen(by: generation) && slots[$0].state?.isFinal == false }
    }

    /// Removes the entries that the load of this generation has not seen. An unseen revocation stays as a tombstone, so
    /// that no later database reactivates the key, unless revocations are forgotten.
    /// - Returns: the number of entries removed, kept revocations excluded.
    mutating func sweep(keeping generation: UInt16, forgettingEnds: Bool) -> Int {
        guard let slots else { return 0 }
        var removed = 0
        var index = total - 1
        while index >= 0 {
            if slots[index].isUnseen(by: generation) {
                if slots[index].state?.isFinal == true, !forgettingEnds {
                    bury(at: index)
                } else {
                    remove(at: index)
                    removed += 1
                }
            }
            index -= 1
        }
        compactIfWasteful()
        return removed
    }

    /// Removes one entry, unless it is a revocation. Returns true if it was removed.
    mutating func remove(_ digest: SecretDigest) -> Bool {
        guard let slots, let index = find(digest.words), slots[index].state?.isFinal == false else { return false }
        remove(at: index)
        compactIfWasteful()
        return true
    }

    private mutating func bury(at index: Int) {
        guard let slots, slots[index].state != .deleted else { return }
        slots[index].setState(.deleted)
        tombstones += 1
    }

    /// Compares the table's entry with a row.
    func comparison(with entry: KeyEntry, at now: Timestamp) -> EntryComparison {
        guard let slots, let index = find(entry.digest.words) else { return .absent }
        let slot = slots[index]
        if slot.version != entry.version { return slot.version < entry.version ? .older : .newer }
        let isSame =
            slot.state == .deleted && entry.state == .deleted
            || slot.id == (entry.keyID.high, entry.keyID.low) && slot.agrees(with: entry, at: now)
                && arena.holds(entry, at: slot.details)
        return isSame ? .same : .different
    }

    /// Calls `body` with the digest and version of each entry in a range, in order, without tombstones.
    func forEach(in range: DigestRange, _ body: (SecretDigest, UInt32) -> Void) {
        guard let slots else { return }
        // Entries are at their homes or to the right of them.
        var index = home(of: (range.first, 0, 0, 0))
        while index < total {
            let slot = slots[index]
            if !slot.isFree, slot.digest.0 > range.last { return }
            if !slot.isFree, slot.digest.0 >= range.first, slot.state != .deleted {
                body(SecretDigest(words: slot.digest), slot.version)
            }
            index += 1
        }
    }

    /// Reserves slots for this number of entries, so that a load does not grow the table step by step.
    mutating func reserve(_ entries: Int) {
        let wanted = entries + entries / 4
        if wanted > homes { rebuild(homes: wanted) }
    }

    // MARK: - Private

    @inline(__always)
    private func home(of digest: (UInt64, UInt64, UInt64, UInt64)) -> Int {
        Int((digest.0 << skippedBits).multipliedFullWidth(by: UInt64(homes)).high)
    }

    /// Replaces the state in any case. If memory is exhausted, the texts stay as they were, and a key whose policy
    /// could not be stored grants no access.
    private mutating func replace(
        _ slot: UnsafeMutablePointer<KeySlot>, with entry: KeyEntry, generation: UInt16, setsVersion: Bool
    ) {
        let details = arena.append(entry)
        if let details {
            arena.waste(at: slot.pointee.details)
            slot.pointee.details = details
        }
        if slot.pointee.state == .deleted { tombstones -= 1 }
        if entry.state == .deleted { tombstones += 1 }
        slot.pointee.meta = KeySlot.meta(of: entry, generation: generation)
        if details == nil, !entry.policy.isEmpty { slot.pointee.close() }
        slot.pointee.version = setsVersion ? entry.version : max(entry.version, slot.pointee.version)
        compactIfWasteful()
    }

    /// Returns false if no slot to the right is free.
    private func insert(_ slot: KeySlot) -> Bool {
        guard let slots else { return false }
        var index = home(of: slot.digest)
        while index < total, !slots[index].isFree, slots[index].precedes(slot.digest) { index += 1 }
        var end = index
        while end < total, !slots[end].isFree { end += 1 }
        guard end < total else { return false }
        (slots + index + 1).update(from: slots + index, count: end - index)
        slots[index] = slot
        return true
    }

    private mutating func remove(at start: Int) {
        guard let slots else { return }
        arena.waste(at: slots[start].details)
        if slots[start].state == .deleted { tombstones -= 1 }
        var index = start
        while index + 1 < total, !slots[index + 1].isFree, home(of: slots[index + 1].digest) <= index {
            slots[index] = slots[index + 1]
            index += 1
        }
        slots[index] = .free
        count -= 1
    }

    private mutating func compactIfWasteful() {
        if arena.wasted > 4_096, arena.wasted * 2 > arena.used { rebuild(homes: homes) }
    }

    /// Rebuilds the table, sorted, with its texts packed. Changes nothing if memory is exhausted.
    private mutating func rebuild(homes wanted: Int) {
        var newHomes = wanted
        while true {
            let newTotal = newHomes + max(8, newHomes / 64)
            guard let target = Self.allocate(newTotal) else { return }
            var texts = DetailArena(capacity: arena.used - arena.wasted)
            if lay(into: target, homes: newHomes, total: newTotal, texts: &texts) {
                free(slots)
                slots = target
                homes = newHomes
                total = newTotal
                arena = texts
                return
            }
            free(target)
            newHomes += newHomes / 8 + 1
        }
    }

    private func lay(
        into target: UnsafeMutablePointer<KeySlot>, homes: Int, total: Int, texts: inout DetailArena
    ) -> Bool {
        guard let slots else { return true }
        var next = 0
        for index in 0..<self.total where !slots[index].isFree {
            var slot = slots[index]
            let home = Int((slot.digest.0 << skippedBits).multipliedFullWidth(by: UInt64(homes)).high)
            let destination = max(home, next)
            guard destination < total, let details = texts.append(from: arena, at: slot.details) else { return false }
            slot.details = details
            target[destination] = slot
            next = destination + 1
        }
        return true
    }

    private static func allocate(_ count: Int) -> UnsafeMutablePointer<KeySlot>? {
        var memory: UnsafeMutableRawPointer?
        let size = count * MemoryLayout<KeySlot>.stride
        guard posix_memalign(&memory, 64, size) == 0, let memory else { return nil }
        let slots = memory.bindMemory(to: KeySlot.self, capacity: count)
        slots.initialize(repeating: .free, count: count)
        return slots
    }
}
