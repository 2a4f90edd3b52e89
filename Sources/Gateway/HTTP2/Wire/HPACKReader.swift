import NIOCore

/// A decoder for the field blocks of one direction of a connection (RFC 7541). It works on bytes and never creates a
/// `String`.
///
/// A refused section is still decoded to its end, so that the dynamic table stays in step with the peer's.
struct HPACKReader {
    private var table = HPACKTable()
    /// The name and the value of a literal; the memory is reused for the next one.
    private var literal: [UInt8] = []
    private let sectionLimit: Int

    /// - Parameter sectionLimit: the maximum size of a section that is kept, by the measure of RFC 9113 section 6.5.2.
    init(sectionLimit: Int) {
        self.sectionLimit = sectionLimit
    }

    /// Returns the section of a block. Throws if the table would no longer be in step.
    mutating func read(_ block: ByteBuffer) throws(HTTP2ConnectionError) -> Result<FieldSection, HeadError> {
        var section = FieldSection.Builder(limit: sectionLimit)
        let isValid = block.withUnsafeReadableBytes { bytes in
            var cursor = Cursor(bytes: bytes)
            while cursor.offset < bytes.count {
                guard readField(&cursor, into: &section) else { return false }
            }
            return true
        }
        guard isValid else { throw .compressionError }
        return section.result
    }

    /// Decodes one representation (RFC 7541 section 6). Returns false if it is invalid.
    private mutating func readField(_ cursor: inout Cursor, into section: inout FieldSection.Builder) -> Bool {
        let first = cursor.bytes[cursor.offset]
        if first & 0x80 != 0 {
            guard let index = cursor.integer(prefix: 7), let entry = table.entry(index) else { return false }
            section.append(entry.bytes, nameLength: entry.nameLength)
            return true
        }
        if first & 0xE0 == 0x20 {
            // Only at the start of a block (section 4.2).
            guard section.isEmpty, let limit = cursor.integer(prefix: 5) else { return false }
            return table.resize(limit)
        }
        let isIndexed = first & 0x40 != 0
        guard let index = cursor.integer(prefix: isIndexed ? 6 : 4) else { return false }
        literal.removeAll(keepingCapacity: true)
        if index == 0 {
            guard cursor.string(to: &literal) else { return false }
        } else {
            guard let entry = table.entry(index) else { return false }
            literal += entry.bytes[..<entry.nameLength]
        }
        let nameLength = literal.count
        guard cursor.string(to: &literal) else { return false }
        section.append(literal, nameLength: nameLength)
        if isIndexed { table.add(HPACKEntry(bytes: literal, nameLength: nameLength)) }
        return true
    }
}

/// The position of the decoder in a block.
private struct Cursor {
    let bytes: UnsafeRawBufferPointer
    var offset = 0

    /// Reads an integer (RFC 7541 section 5.1); nil if it is incomplete, or larger than any meaningful value.
    mutating func integer(prefix: UInt8) -> Int? {
        guard offset < bytes.count else { return nil }
        let mask = (UInt8(1) << prefix) - 1
        var value = Int(bytes[offset] & mask)
        offset += 1
        guard value == Int(mask) else { return value }
        for shift in stride(from: 0, through: 14, by: 7) where offset < bytes.count {
            let byte = bytes[offset]
            offset += 1
            value += Int(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
        }
        return nil
    }

    /// Appends the bytes of a string (RFC 7541 section 5.2). Returns false if it is incomplete or invalid.
    mutating func string(to out: inout [UInt8]) -> Bool {
        guard offset < bytes.count else { return false }
        let isHuffman = bytes[offset] & 0x80 != 0
        guard let length = integer(prefix: 7), length <= bytes.count - offset else { return false }
        let text = bytes.part(offset..<offset + length)
        offset += length
        if isHuffman { return HPACKHuffman.decode(text, to: &out) }
        out.append(contentsOf: text)
        return true
    }
}
