/// Which statements a connection has prepared, the least recently used first to go.
struct StatementCache {
    /// Statements with the same text but other parameter types are different statements to the server.
    struct Key: Hashable {
        var sql: String
        var types: [UInt32]
    }

    private struct Entry {
        var name: String
        var lastUse: UInt64
    }

    private let capacity: Int
    private var entries: [Key: Entry] = [:]
    private var uses: UInt64 = 0
    private var names: UInt64 = 0

    init(capacity: Int) {
        self.capacity = max(0, capacity)
    }

    /// Whether nothing is to be prepared.
    var isOff: Bool { capacity == 0 }

    /// The name of a prepared statement, which counts as a use.
    mutating func name(for key: Key) -> String? {
        guard var entry = entries[key] else { return nil }
        uses += 1
        entry.lastUse = uses
        entries[key] = entry
        return entry.name
    }

    /// A name that no statement of this connection has had.
    mutating func freshName() -> String {
        names += 1
        return "s\(names)"
    }

    /// Notes that the server has prepared `key` as `name`; returns the name that had to go for it.
    mutating func insert(_ key: Key, name: String) -> String? {
        uses += 1
        let replaced = entries.updateValue(Entry(name: name, lastUse: uses), forKey: key)
        if let replaced { return replaced.name }
        guard entries.count > capacity, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) else {
            return nil
        }
        entries[oldest.key] = nil
        return oldest.value.name
    }

    /// Forgets `key`; returns the name it had.
    mutating func remove(_ key: Key) -> String? {
        entries.removeValue(forKey: key)?.name
    }
}
