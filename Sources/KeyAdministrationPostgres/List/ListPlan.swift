import KeyAdministration

/// The plans by which PostgreSQL finds the keys of a page. The files that the cases name have their SQL.
///
/// To fill a page of P out of N keys of which n match, `walk` reads P · N / n keys, and `sort` reads n. For 100 of a
/// million keys, both read 10,000 keys if one in a hundred matches. This takes 8 to 26 ms, and `skip` takes 4 to 9 ms
/// (docs/admin-api.md). The planner turns from a small set to the order somewhere from 3,000 to 15,000 keys, at which
/// `walk` is slowest.
///
/// `Benchmarks/list_plans.py` measures each plan for sets of 250 to 50,000 of a million keys (Benchmarks/README.md).
/// The limits below are where its times cross. `Benchmarks/list_pages.py` checks the choices: it fails if a page takes
/// more than 10 ms, or more than a limit stated there.
enum ListPlan: Equatable {
    /// Reads the index of the order and compares each key with the filter (`ListOrder`). If few keys match, the planner
    /// itself reads the index of a filter instead and sorts. Cost: 1 to 9 ms if many keys match, or few.
    case walk
    /// Reads the index of the order and skips all keys that are not in a set, without reading them (`ListRows+Skip`).
    /// Cost: 4 to 9 ms.
    case skip(KeySet)
    /// Reads the keys of a small set and sorts them (`ListRows+Sort`). Cost: 1 to 3 µs a key.
    case sort(KeySet)
    /// Merges the first keys of each month of expiry (`ListMonths`). Cost: 1 ms.
    case months(ListMonths)

    /// The size of a set from which on `skip` is faster than `sort`, or than `walk`, for which the planner sorts such
    /// sets. Except for unused keys by creation, `skip` takes 1.6 to 3.3 times as long at 1,500, 1.2 to 2.6 at 2,000,
    /// 0.3 to 2.5 at 3,000 and 0.3 to 0.6 at 4,500: the fewer keys match, the more of the order it reads.
    static let skipMinimum = 2_500

    /// The size of a set up to which `skip` is faster than `walk`. It takes 0.1 to 1 times as long at 10,000, 0.3 to 2
    /// at 15,000, 0.3 to 1.3 at 20,000 and 0.7 to 3 at 30,000. A higher limit would save a few milliseconds for a
    /// narrow range of sizes, and every larger set would be counted up to it first.
    static let skipLimit = 15_000

    /// The number of expiring keys up to which sorting them by name is faster than `walk`. `sort` takes 0.3 times as
    /// long at 3,000, 0.4 at 4,500, 0.9 at 6,000 and 8,000, and 1.9 at 10,000.
    static let sortByNameLimit = 6_000

    /// Chooses the plan of a query without a set.
    init(_ query: KeyQuery) {
        self = ListMonths(of: query).map { .months($0) } ?? .walk
    }

    /// Chooses the plan of a query with a set of this size; a size above the set's limit means any larger one.
    init(_ query: KeyQuery, _ set: KeySet, size: Int) {
        switch (set, query.order.field) {
        // The planner overestimates the cost of sorting these.
        case (.ending, _), (.unused, .expires): self = size <= set.limit ? .sort(set) : .walk
        case (.unused, _) where size < Self.skipMinimum: self = .sort(set)
        // The planner finds the other small sets by itself.
        default: self = (Self.skipMinimum...set.limit).contains(size) ? .skip(set) : .walk
        }
    }
}
