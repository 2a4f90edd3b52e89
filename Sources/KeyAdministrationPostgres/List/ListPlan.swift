import KeyAdministration

/// The plans by which PostgreSQL finds the keys of a page. The files that the cases name have their SQL.
///
/// To fill a page of P out of N keys of which n match, `walk` reads P · N / n keys, and `sort` reads n. For 100 of a
/// million keys, both read 10,000 keys if one in a hundred matches. This takes 8 to 26 ms, and `skip` takes 4 to 9 ms
/// (docs/admin-api.md). The limits below are derived from these figures.
///
/// `Benchmarks/list_pages.py` checks them on both sides: its filters match 1,000, 10,000 and 100,000 of a million keys.
/// It fails if a page takes more than 10 ms, or more than a limit stated there.
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

    /// The size of a set from which on `skip` is faster than `sort`. Sorting 1,500 keys takes up to 4 ms, the least
    /// that `skip` takes.
    static let skipMinimum = 1_500

    /// The size of a set up to which `skip` is faster than `walk`. At 15,000, hashing the ids takes half as long again
    /// as in the measurement of 10,000, and `walk` reads 7,000 keys for a page.
    static let skipLimit = 15_000

    /// The number of expiring keys up to which sorting them by name is faster than `walk`. At 10,000 both read as many
    /// keys, and sorting also compares names. In the benchmark, about 3,800 keys expire within 7 days, and 48,000
    /// within 90.
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
