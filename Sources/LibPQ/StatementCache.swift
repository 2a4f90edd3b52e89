/// The prepared statements of a connection; the least recently used one is evicted first.
struct StatementCache {
    /// The server treats statements with the same text but other parameter types as different statements.
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

    /// True if no statement is to be prepared.
    var isOff: Bool { capacity == 0 }

    /// Returns the name of a prepared statement and counts this as a use.
    mutating func name(for key: Key) -> String? {
        guard var entry = entries[key] else { return nil }
        uses += 1
        entry.lastUse = uses
        entries[key] = entry
        return entry.name
    }

    /// Returns a name that no statement of this connection has had.
    mutating func freshName() -> String {
        names += 1
        return "s\(names)"
    }

    /// Records that the server has prepared `key` as `name`; returns the name of the evicted statement.
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

    /// Removes `key`; returns its name.
    mutating func remove(_ key: Key) -> String? {
        entries.removeValue(forKey: key)?.name
    }
}
