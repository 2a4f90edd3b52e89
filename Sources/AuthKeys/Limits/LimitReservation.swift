/// The units and credits that a request took, until its actual cost is settled (`Limiter.settle`). The memory is
/// reused.
public struct LimitReservation: Sendable {
    /// The maximum cost that can be settled.
    public static let costLimit: Int64 = 1_000_000_000

    /// The units that the request took from one limit, or from the credits of its key.
    struct Entry: Sendable {
        let id: LimitID
        /// The definition at admission; nil for credits.
        let terms: LimitTerms?
        /// The cost that has been settled so far.
        var cost: Int64
        /// The units that can be given back.
        var taken: Double
    }

    var entries: [Entry] = []
    /// The uptime of the admission, in seconds.
    private(set) var at = 0.0
    /// The version of the key's entry at admission.
    private(set) var version: UInt32 = 0

    public init() {}

    /// True if there is nothing to settle.
    public var isEmpty: Bool { entries.isEmpty }

    /// Reserves what an admitted request took. Limits without room, which only report, have taken nothing, and so have
    /// nothing to settle.
    mutating func set(_ records: UnsafeBufferPointer<LimitRecord>, at now: Double, version: UInt32) {
        entries.removeAll(keepingCapacity: true)
        (at, self.version) = (now, version)
        for record in records where record.use.refusal == nil {
            switch record.use.kind {
            case .rate, .quota:
                entries.append(
                    Entry(
                        id: record.id, terms: record.terms, cost: record.cost,
                        taken: record.taken.lease + record.taken.overdraft))
            case .credits:
                entries.append(
                    Entry(
                        id: record.id, terms: nil, cost: record.cost, taken: record.hasTaken ? Double(record.cost) : 0))
            case .concurrent: break
            }
        }
    }

    mutating func clear() { entries.removeAll(keepingCapacity: true) }
}

extension LimitUses {
    /// Writes what the request took into a reservation.
    public func reserve(in reservation: inout LimitReservation) {
        reservation.set(records, at: at, version: version)
    }
}
