/// A cell of a table: the state of one limit, of the credits of one key, or of one concurrency limit.
protocol SharedCell: Sendable {
    associatedtype Question: Sendable

    var id: LimitID { get }
    /// True while the table lists the cell as one that is to ask.
    var isListed: Bool { get set }
    /// The order in which cells ask, if not all can; the largest first.
    var urgency: Double { get }

    /// Brings the cell to the present.
    mutating func refresh(at now: Double, in circumstances: LimitCircumstances)
    /// The moment from which the cell has a question; infinite for none.
    func asksAt(in circumstances: LimitCircumstances) -> Double
    mutating func question(at now: Double, in circumstances: LimitCircumstances) -> Question
    /// The question that gives everything back at shutdown; nil if there is nothing.
    mutating func finalQuestion(at now: Double, in circumstances: LimitCircumstances) -> Question?
    /// Ends a question without an answer.
    mutating func fail(_ failure: QuestionFailure)
    /// Returns true if a new cell would know as much.
    func isForgettable(at now: Double, in circumstances: LimitCircumstances) -> Bool
}

/// An open-addressing table from identifier to cell, with linear probing. A slot whose identifier is zero is free.
///
/// Invariant: no free slot lies between a cell and its home.
///
/// `@unchecked Sendable`: the table owns its memory, and `find` lends a cell only while the caller has the table.
struct CellTable<Cell: SharedCell>: ~Copyable, @unchecked Sendable {
    private static var free: LimitID { LimitID(high: 0, low: 0) }
    private static var smallest: Int { 16 }

    private var ids: UnsafeMutablePointer<LimitID>
    private var cells: UnsafeMutablePointer<Cell>
    private(set) var slots: Int
    private(set) var count = 0

    init() {
        slots = Self.smallest
        (ids, cells) = Self.allocate(slots)
    }

    deinit {
        ids.deallocate()
        cells.deallocate()
    }

    private static func allocate(_ slots: Int) -> (UnsafeMutablePointer<LimitID>, UnsafeMutablePointer<Cell>) {
        let ids = UnsafeMutablePointer<LimitID>.allocate(capacity: slots)
        ids.initialize(repeating: free, count: slots)
        return (ids, .allocate(capacity: slots))
    }

    /// The top bits of a hash select the shard.
    @inline(__always)
    static func hash(_ id: LimitID) -> UInt64 {
        (id.high ^ id.low) &* 0x9E37_79B9_7F4A_7C15
    }

    @inline(__always)
    private func home(of id: LimitID) -> Int {
        Int(truncatingIfNeeded: Self.hash(id) >> 20) & (slots - 1)
    }

    /// Returns the cell, which stays there until the table changes.
    @inline(__always)
    func find(_ id: LimitID) -> UnsafeMutablePointer<Cell>? {
        var slot = home(of: id)
        while ids[slot] != Self.free {
            if ids[slot] == id { return cells + slot }
            slot = (slot + 1) & (slots - 1)
        }
        return nil
    }

    /// The identifier of a cell; nil if there is none.
    var first: LimitID? {
        (0..<slots).first { ids[$0] != Self.free }.map { ids[$0] }
    }

    /// Adds a cell that the table lacks.
    mutating func insert(_ cell: Cell) -> UnsafeMutablePointer<Cell> {
        if count >= slots / 4 * 3 { grow() }
        count += 1
        return place(cell)
    }

    private func place(_ cell: Cell) -> UnsafeMutablePointer<Cell> {
        var slot = home(of: cell.id)
        while ids[slot] != Self.free { slot = (slot + 1) & (slots - 1) }
        ids[slot] = cell.id
        (cells + slot).initialize(to: cell)
        return cells + slot
    }

    private mutating func grow() {
        let (oldIDs, oldCells, oldSlots) = (ids, cells, slots)
        slots *= 2
        (ids, cells) = Self.allocate(slots)
        for slot in 0..<oldSlots where oldIDs[slot] != Self.free { _ = place(oldCells[slot]) }
        oldIDs.deallocate()
        oldCells.deallocate()
    }

    /// Calls `body` with each cell, and removes those for which it returns true.
    mutating func removeAll(where body: (inout Cell) -> Bool) {
        var slot = 0
        while slot < slots {
            // A removal may move another cell here.
            if ids[slot] != Self.free, body(&cells[slot]) { remove(at: slot) } else { slot += 1 }
        }
    }

    /// Frees a slot, and moves cells that would then be out of reach.
    private mutating func remove(at index: Int) {
        var (hole, slot) = (index, index)
        while true {
            slot = (slot + 1) & (slots - 1)
            guard ids[slot] != Self.free else { break }
            // The distance of the cell from its home, and from the hole.
            let distance = (slot - home(of: ids[slot])) & (slots - 1)
            guard distance >= (slot - hole) & (slots - 1) else { continue }
            ids[hole] = ids[slot]
            cells[hole] = cells[slot]
            hole = slot
        }
        ids[hole] = Self.free
        count -= 1
    }
}
