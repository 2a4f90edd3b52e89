import NIOCore

/// An encoder for the field blocks of one direction of a connection (RFC 7541), working on bytes.
struct HPACKWriter {
    private var table = HPACKTable()
    /// The limit of the table that the next block has to announce (RFC 7541 section 4.2).
    private var resized: Int?

    /// Fields that differ in each response: they would only evict others from the table.
    private static let changing: [StaticString] = [
        "age", "content-length", "content-range", "date", "etag", "expires", "last-modified", "location",
        "x-request-id",
    ]
    /// Fields that no intermediary may keep in a table (RFC 7541 section 7.1.3).
    private static let secret: [StaticString] = [
        "authorization", "cookie", "proxy-authenticate", "set-cookie", "www-authenticate",
    ]

    /// Applies the peer's SETTINGS_HEADER_TABLE_SIZE. The table never grows again, so no block can precede the setting
    /// that allows it.
    mutating func limitTable(to limit: Int) {
        guard limit < table.limit, table.resize(limit) else { return }
        resized = limit
    }

    /// Appends the block of a section.
    mutating func write(_ section: FieldSection, to out: inout ByteBuffer) {
        if let resized {
            Self.write(resized, prefix: 5, pattern: 0x20, to: &out)
            self.resized = nil
        }
        section.forEachField { name, value in write(name, value, to: &out) }
    }

    private mutating func write(
        _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, to out: inout ByteBuffer
    ) {
        let found = table.find(name, value)
        if let found, found.isWhole { return Self.write(found.index, prefix: 7, pattern: 0x80, to: &out) }
        let entry = HPACKEntry(bytes: Array(name) + Array(value), nameLength: name.count)
        let isSecret = Self.secret.contains { name.equals($0) }
        let isKept = !isSecret && entry.size <= table.limit / 4 && !Self.changing.contains { name.equals($0) }
        switch (isKept, isSecret) {
        case (true, _): Self.write(found?.index ?? 0, prefix: 6, pattern: 0x40, to: &out)
        case (false, true): Self.write(found?.index ?? 0, prefix: 4, pattern: 0x10, to: &out)
        case (false, false): Self.write(found?.index ?? 0, prefix: 4, pattern: 0x00, to: &out)
        }
        if found == nil { Self.write(name, to: &out) }
        Self.write(value, to: &out)
        if isKept { table.add(entry) }
    }

    /// Appends a string (RFC 7541 section 5.2) in the shorter of its two forms.
    static func write(_ text: UnsafeRawBufferPointer, to out: inout ByteBuffer) {
        let length = HPACKHuffman.length(of: text)
        if length < text.count {
            write(length, prefix: 7, pattern: 0x80, to: &out)
            HPACKHuffman.encode(text, to: &out)
        } else {
            write(text.count, prefix: 7, pattern: 0x00, to: &out)
            out.writeBytes(text)
        }
    }

    /// Appends an integer (RFC 7541 section 5.1).
    static func write(_ value: Int, prefix: UInt8, pattern: UInt8, to out: inout ByteBuffer) {
        let mask = (UInt8(1) << prefix) - 1
        guard value >= Int(mask) else {
            _ = out.writeInteger(pattern | UInt8(value))
            return
        }
        out.writeInteger(pattern | mask)
        var rest = value - Int(mask)
        while rest >= 0x80 {
            out.writeInteger(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        out.writeInteger(UInt8(rest))
    }
}
