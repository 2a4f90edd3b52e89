import Glibc

/// The texts of a table's keys, one behind the other: three lengths (LEB128), then name, owner, scopes, all UTF-8. What is
/// replaced stays until the table is rebuilt, which happens when half of the arena is such waste.
struct DetailArena: ~Copyable {
    private var bytes: UnsafeMutableRawPointer?
    private(set) var capacity = 0
    private(set) var used = 0
    private(set) var wasted = 0

    init(capacity: Int = 0) {
        if capacity > 0 { grow(to: capacity) }
    }

    deinit {
        free(bytes)
    }

    /// Keeps the texts of an entry. Nil when the arena is full (4 GiB) or memory is.
    mutating func append(_ entry: KeyEntry) -> UInt32? {
        entry.withTexts { name, owner, scopes in
            append(name: name, owner: owner, scopes: scopes)
        }
    }

    private mutating func append(
        name: UnsafeRawBufferPointer, owner: UnsafeRawBufferPointer, scopes: UnsafeRawBufferPointer
    ) -> UInt32? {
        let size = 3 * 5 + name.count + owner.count + scopes.count
        guard let offset = UInt32(exactly: used), let base = reserve(size) else { return nil }
        var cursor = base + used
        for text in [name, owner, scopes] {
            var length = text.count
            while length >= 0x80 {
                cursor.storeBytes(of: UInt8(length & 0x7F) | 0x80, as: UInt8.self)
                length >>= 7
                cursor += 1
            }
            cursor.storeBytes(of: UInt8(length), as: UInt8.self)
            cursor += 1
        }
        for text in [name, owner, scopes] {
            if let start = text.baseAddress { cursor.copyMemory(from: start, byteCount: text.count) }
            cursor += text.count
        }
        used = cursor - base
        return offset
    }

    /// Takes over the texts that another arena holds at a place.
    mutating func append(from other: borrowing DetailArena, at offset: UInt32) -> UInt32? {
        let texts = other.texts(at: offset)
        return append(name: texts.name, owner: texts.owner, scopes: texts.scopes)
    }

    /// Where the texts of a place begin; for `KeyTexts`.
    @inline(__always)
    func pointer(at offset: UInt32) -> UnsafeRawPointer? {
        bytes.map { UnsafeRawPointer($0) + Int(offset) }
    }

    func texts(at offset: UInt32) -> KeyTexts {
        KeyTexts(at: pointer(at: offset))
    }

    /// Notes that the texts at a place are not needed any more.
    mutating func waste(at offset: UInt32) {
        let texts = texts(at: offset)
        wasted += 3 + texts.name.count + texts.owner.count + texts.scopes.count
    }

    private mutating func reserve(_ size: Int) -> UnsafeMutableRawPointer? {
        if used + size > capacity { grow(to: max(used + size, capacity + capacity / 8, 256)) }
        return used + size <= capacity ? bytes : nil
    }

    private mutating func grow(to newCapacity: Int) {
        guard let grown = realloc(bytes, newCapacity) else { return }
        bytes = grown
        capacity = newCapacity
    }
}

/// The texts of one key, UTF-8, good only while the table that lends them is held.
public struct KeyTexts {
    public let name: UnsafeRawBufferPointer
    /// Empty for none.
    public let owner: UnsafeRawBufferPointer
    /// Separated by single spaces; empty for none.
    public let scopes: UnsafeRawBufferPointer

    init(at details: UnsafeRawPointer?) {
        guard var cursor = details else {
            let none = UnsafeRawBufferPointer(start: nil, count: 0)
            (name, owner, scopes) = (none, none, none)
            return
        }
        let lengths = (Self.length(&cursor), Self.length(&cursor), Self.length(&cursor))
        name = UnsafeRawBufferPointer(start: cursor, count: lengths.0)
        owner = UnsafeRawBufferPointer(start: cursor + lengths.0, count: lengths.1)
        scopes = UnsafeRawBufferPointer(start: cursor + lengths.0 + lengths.1, count: lengths.2)
    }

    private static func length(_ cursor: inout UnsafeRawPointer) -> Int {
        var value = 0
        var shift = 0
        while true {
            let byte = cursor.load(as: UInt8.self)
            cursor += 1
            value |= Int(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }
}

extension KeyEntry {
    /// The three texts as bytes. Entries are built of native strings, so nothing is copied.
    fileprivate func withTexts<R>(
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> R
    ) -> R {
        var name = name
        var owner = owner ?? ""
        var scopes = scopes
        return name.withUTF8 { name in
            owner.withUTF8 { owner in
                scopes.withUTF8 { scopes in
                    body(UnsafeRawBufferPointer(name), UnsafeRawBufferPointer(owner), UnsafeRawBufferPointer(scopes))
                }
            }
        }
    }
}
