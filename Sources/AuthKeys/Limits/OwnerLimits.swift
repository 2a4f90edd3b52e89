/// The limits of owners. A request finds those of its owner and of all owners above without allocation.
struct OwnerLimits: Sendable {
    struct Entry: Sendable {
        let owner: [UInt8]
        /// The part of the identifiers that the owner gives.
        let id: LimitID
        /// `LimitBytes`
        let limits: [UInt8]
        /// False if the limits are unreadable.
        let isValid: Bool
    }

    /// By the hash of the owner.
    private let entries: [UInt64: [Entry]]

    static let none = OwnerLimits([])

    var isEmpty: Bool { entries.isEmpty }

    init(_ definitions: [SharedDefinition]) {
        var entries: [UInt64: [Entry]] = [:]
        for definition in definitions {
            let owner = Array(definition.holder.utf8)
            var bytes: [UInt8] = []
            LimitBytes.append(definition.limits ?? [], to: &bytes) { _ in false }
            let hash = owner.reduce(Self.start, Self.mix)
            entries[hash, default: []].append(
                Entry(
                    owner: owner, id: LimitID(owner: owner), limits: bytes, isValid: definition.limits != nil))
        }
        self.entries = entries
    }

    /// Returns the owner with unreadable limits that the path is, or lies below; nil if there is none.
    func invalidOwner(of path: UnsafeRawBufferPointer) -> [UInt8]? {
        var invalid: [UInt8]?
        withEntries(of: path) { if !$0.isValid { invalid = $0.owner } }
        return invalid
    }

    // FNV-1a: the hash of a path continues that of the owner above it.
    private static var start: UInt64 { 0xCBF2_9CE4_8422_2325 }

    @inline(__always)
    private static func mix(_ hash: UInt64, _ byte: UInt8) -> UInt64 {
        (hash ^ UInt64(byte)) &* 0x100_0000_01B3
    }

    /// Calls `body` with the limits of each owner that the path is, or lies below.
    func withEntries(of path: UnsafeRawBufferPointer, _ body: (Entry) -> Void) {
        guard !isEmpty, !path.isEmpty else { return }
        var hash = Self.start
        for (index, byte) in path.enumerated() {
            if byte == OwnerPath.separator { visit(UnsafeRawBufferPointer(rebasing: path[..<index]), hash, body) }
            hash = Self.mix(hash, byte)
        }
        visit(path, hash, body)
    }

    private func visit(_ owner: UnsafeRawBufferPointer, _ hash: UInt64, _ body: (Entry) -> Void) {
        guard let found = entries[hash] else { return }
        for entry in found where entry.owner.elementsEqual(owner) { body(entry) }
    }
}
