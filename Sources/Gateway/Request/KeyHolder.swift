import AuthKeys
import NIOCore

/// The key that a request presented, valid or not, and its owner, for the log. The memory of the owner is reused.
struct KeyHolder {
    private(set) var keyID: KeyID?
    private var owner = ByteBuffer()

    mutating func clear() {
        keyID = nil
        owner.clear()
    }

    /// The index is locked during the call, so the function only copies.
    @inline(__always)
    mutating func set(_ key: KeyView) {
        keyID = key.id
        let text = key.texts.owner
        if !text.isEmpty { owner.writeBytes(text) }
    }

    mutating func set(_ principal: Principal) {
        keyID = principal.keyID
        if let text = principal.owner { owner.writeString(text) }
    }

    func withOwner<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try owner.withUnsafeReadableBytes(body)
    }
}
