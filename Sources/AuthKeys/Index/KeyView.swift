/// A key as the index lends it for the length of a call. Nothing of it may outlive the call; take a `principal` to keep.
public struct KeyView {
    private let slot: KeySlot
    private let texts: KeyTexts
    /// Never `deleted`.
    public let state: KeyEntry.State

    @inline(__always)
    init(slot: KeySlot, state: KeyEntry.State, texts: KeyTexts) {
        self.slot = slot
        self.state = state
        self.texts = texts
    }

    public var id: KeyID { KeyID(high: slot.id.0, low: slot.id.1) }
    public var version: UInt32 { slot.version }
    /// In milliseconds, rounded down.
    public var expiresAt: Timestamp? { slot.expiresAt }
    /// UTF-8.
    public var name: UnsafeRawBufferPointer { texts.name }
    /// UTF-8; empty for none.
    public var owner: UnsafeRawBufferPointer { texts.owner }
    /// UTF-8, separated by single spaces; empty for none.
    public var scopes: UnsafeRawBufferPointer { texts.scopes }

    /// Whether the key's time is over.
    @inline(__always)
    public func isExpired(at now: Timestamp) -> Bool {
        slot.expiresAt.map { $0 <= now } ?? false
    }

    /// A copy to keep.
    public var principal: Principal {
        Principal(
            keyID: id,
            name: String(decoding: name, as: UTF8.self),
            owner: owner.isEmpty ? nil : String(decoding: owner, as: UTF8.self),
            scopes: String(decoding: scopes, as: UTF8.self).split(separator: " ").map(String.init),
            expiresAt: expiresAt)
    }
}
