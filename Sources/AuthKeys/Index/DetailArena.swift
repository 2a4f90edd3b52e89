import Glibc

/// The texts of a table's keys, in sequence: five lengths (LEB128), then name, owner and scopes in UTF-8, the policy,
/// and the metadata. Replaced texts stay until half of the arena is unused and the table is rebuilt.
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

    /// Appends the texts of an entry. Returns nil if the arena (4 GiB) or memory is full.
    mutating func append(_ entry: KeyEntry) -> UInt32? {
        entry.withTexts { append($0) }
    }

    private mutating func append(_ texts: KeyTexts) -> UInt32? {
        guard let offset = UInt32(exactly: used), let base = reserve(texts.size + 5 * 4) else { return nil }
        var cursor = base + used
        texts.inOrder { text in
            var length = text.count
            while length >= 0x80 {
                cursor.storeBytes(of: UInt8(length & 0x7F) | 0x80, as: UInt8.self)
                length >>= 7
                cursor += 1
            }
            cursor.storeBytes(of: UInt8(length), as: UInt8.self)
            cursor += 1
        }
        texts.inOrder { text in
            if let start = text.baseAddress { cursor.copyMemory(from: start, byteCount: text.count) }
            cursor += text.count
        }
        used = cursor - base
        return offset
    }

    /// Copies the texts at an offset of another arena.
    mutating func append(from other: borrowing DetailArena, at offset: UInt32) -> UInt32? {
        append(other.texts(at: offset))
    }

    /// The address of the texts at an offset, for `KeyTexts`.
    @inline(__always)
    func pointer(at offset: UInt32) -> UnsafeRawPointer? {
        bytes.map { UnsafeRawPointer($0) + Int(offset) }
    }

    func texts(at offset: UInt32) -> KeyTexts {
        KeyTexts(at: pointer(at: offset))
    }

    /// Returns true if the texts at an offset equal those of an entry.
    func holds(_ entry: KeyEntry, at offset: UInt32) -> Bool {
        let held = texts(at: offset)
        return entry.withTexts { $0.isEqual(to: held) }
    }

    /// Records that the texts at an offset are unused.
    mutating func waste(at offset: UInt32) {
        wasted += texts(at: offset).size
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

/// The texts of one key in UTF-8, valid only while the table that lends them is locked.
public struct KeyTexts {
    public let name: UnsafeRawBufferPointer
    /// Empty for none.
    public let owner: UnsafeRawBufferPointer
    /// Separated by single spaces; empty for none.
    public let scopes: UnsafeRawBufferPointer
    let policy: UnsafeRawBufferPointer
    /// A JSON object; empty for none.
    public let metadata: UnsafeRawBufferPointer

    /// The size in memory, unless a text is longer than 127 bytes.
    var size: Int { 5 + name.count + owner.count + scopes.count + policy.count + metadata.count }

    func isEqual(to other: KeyTexts) -> Bool {
        name.elementsEqual(other.name) && owner.elementsEqual(other.owner) && scopes.elementsEqual(other.scopes)
            && policy.elementsEqual(other.policy) && metadata.elementsEqual(other.metadata)
    }

    func inOrder(_ body: (UnsafeRawBufferPointer) -> Void) {
        body(name)
        body(owner)
        body(scopes)
        body(policy)
        body(metadata)
    }

    init(
        name: UnsafeRawBufferPointer, owner: UnsafeRawBufferPointer, scopes: UnsafeRawBufferPointer,
        policy: UnsafeRawBufferPointer, metadata: UnsafeRawBufferPointer
    ) {
        self.name = name
        self.owner = owner
        self.scopes = scopes
        self.policy = policy
        self.metadata = metadata
    }

    @inline(__always)
    init(at details: UnsafeRawPointer?) {
        guard var cursor = details else {
            let none = UnsafeRawBufferPointer(start: nil, count: 0)
            self.init(name: none, owner: none, scopes: none, policy: none, metadata: none)
            return
        }
        let lengths = (
            Self.length(&cursor), Self.length(&cursor), Self.length(&cursor), Self.length(&cursor),
            Self.length(&cursor)
        )
        func next(_ count: Int) -> UnsafeRawBufferPointer {
            defer { cursor += count }
            return UnsafeRawBufferPointer(start: cursor, count: count)
        }
        self.init(
            name: next(lengths.0), owner: next(lengths.1), scopes: next(lengths.2), policy: next(lengths.3),
            metadata: next(lengths.4))
    }

    @inline(__always)
    private static func length(_ cursor: inout UnsafeRawPointer) -> Int {
        let byte = cursor.load(as: UInt8.self)
        guard byte >= 0x80 else {
            cursor += 1
            return Int(byte)
        }
        return longLength(&cursor)
    }

    @inline(never)
    private static func longLength(_ cursor: inout UnsafeRawPointer) -> Int {
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
    /// Calls `body` with the texts as bytes. Entries have native strings, so nothing is copied.
    fileprivate func withTexts<R>(_ body: (KeyTexts) -> R) -> R {
        var name = name
        var owner = owner ?? ""
        var scopes = scopes
        var metadata = metadata
        return name.withUTF8 { name in
            owner.withUTF8 { owner in
                scopes.withUTF8 { scopes in
                    metadata.withUTF8 { metadata in
                        policy.bytes.withUnsafeBytes { policy in
                            body(
                                KeyTexts(
                                    name: UnsafeRawBufferPointer(name), owner: UnsafeRawBufferPointer(owner),
                                    scopes: UnsafeRawBufferPointer(scopes), policy: policy,
                                    metadata: UnsafeRawBufferPointer(metadata)))
                        }
                    }
                }
            }
        }
    }
}
