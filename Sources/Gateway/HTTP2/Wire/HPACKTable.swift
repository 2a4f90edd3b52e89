import Glibc

/// A header field in HPACK, as bytes.
struct HPACKEntry {
    let bytes: [UInt8]
    let nameLength: Int

    /// The size as defined in RFC 7541 section 4.1.
    var size: Int { bytes.count + 32 }

    fileprivate func hasName(_ name: UnsafeRawBufferPointer) -> Bool {
        nameLength == name.count && bytes.withUnsafeBytes { $0.part(0..<nameLength).hasSameBytes(as: name) }
    }

    fileprivate func hasValue(_ value: UnsafeRawBufferPointer) -> Bool {
        bytes.count - nameLength == value.count
            && bytes.withUnsafeBytes { $0.part(nameLength..<bytes.count).hasSameBytes(as: value) }
    }
}

/// The static and the dynamic table of field blocks (RFC 7541 section 2.3), for one direction of a connection.
struct HPACKTable {
    /// The maximum size of the dynamic table: the initial value of SETTINGS_HEADER_TABLE_SIZE (RFC 9113 section 6.5.2).
    /// The gateway never raises it, and never uses more.
    static let sizeLimit = 4_096

    /// The oldest entry first; those before `oldest` are evicted.
    private var entries: [HPACKEntry] = []
    private var oldest = 0
    private var size = 0
    private(set) var limit = Self.sizeLimit

    /// Returns the entry with an index, counted from 1; nil if there is none.
    func entry(_ index: Int) -> HPACKEntry? {
        if Self.fixed.indices.contains(index - 1) { return Self.fixed[index - 1] }
        let position = entries.count - (index - Self.fixed.count)
        return index > Self.fixed.count && position >= oldest ? entries[position] : nil
    }

    /// Adds an entry and evicts old ones. An entry larger than the table empties it (RFC 7541 section 4.4).
    mutating func add(_ entry: HPACKEntry) {
        evict(toSize: limit - entry.size)
        guard entry.size <= limit else { return }
        entries.append(entry)
        size += entry.size
    }

    /// Sets the limit that the peer chose. Returns false if it exceeds the allowed maximum.
    mutating func resize(_ limit: Int) -> Bool {
        guard limit <= Self.sizeLimit else { return false }
        self.limit = limit
        evict(toSize: limit)
        return true
    }

    /// Returns the index of a field, and true if the value matches too; nil if no table contains the name.
    func find(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> (index: Int, isWhole: Bool)? {
        var partial: Int?
        for index in Self.fixedByNameLength[name.count] ?? [] {
            let entry = Self.fixed[index - 1]
            guard entry.hasName(name) else { continue }
            if entry.hasValue(value) { return (index, true) }
            partial = partial ?? index
        }
        for position in stride(from: entries.count - 1, through: oldest, by: -1) {
            let entry = entries[position]
            guard entry.nameLength == name.count, entry.hasName(name) else { continue }
            let index = Self.fixed.count + entries.count - position
            if entry.hasValue(value) { return (index, true) }
            partial = partial ?? index
        }
        return partial.map { ($0, false) }
    }

    private mutating func evict(toSize target: Int) {
        while oldest < entries.count, size > target {
            size -= entries[oldest].size
            oldest += 1
        }
        guard oldest == entries.count || oldest >= 64 else { return }
        entries.removeFirst(oldest)
        oldest = 0
    }

    /// The static table (RFC 7541 appendix A).
    private static let fixedFields: [(String, String)] = [
        (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
        (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
        (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
        ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""),
        ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""),
        ("cache-control", ""), ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""),
        ("content-length", ""), ("content-location", ""), ("content-range", ""), ("content-type", ""),
        ("cookie", ""), ("date", ""), ("etag", ""), ("expect", ""), ("expires", ""), ("from", ""), ("host", ""),
        ("if-match", ""), ("if-modified-since", ""), ("if-none-match", ""), ("if-range", ""),
        ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""), ("location", ""), ("max-forwards", ""),
        ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""), ("referer", ""), ("refresh", ""),
        ("retry-after", ""), ("server", ""), ("set-cookie", ""), ("strict-transport-security", ""),
        ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""), ("via", ""), ("www-authenticate", ""),
    ]
    private static let fixed = fixedFields.map { name, value in
        HPACKEntry(bytes: Array((name + value).utf8), nameLength: name.utf8.count)
    }

    private static let fixedByNameLength = Dictionary(grouping: 1...fixed.count) { fixed[$0 - 1].nameLength }
}

extension UnsafeRawBufferPointer {
    fileprivate func hasSameBytes(as other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count, let mine = baseAddress, let theirs = other.baseAddress else {
            return count == other.count
        }
        return memcmp(mine, theirs, count) == 0
    }
}
