/// A key that the index lends for the duration of a call. Nothing of it may outlive the call; copy its `principal`
/// instead.
public struct KeyView {
    private let slot: KeySlot
    /// Read lazily: most verifications do not need it, and it is in another cache line.
    private let details: UnsafeRawPointer?
    /// Never `deleted`.
    public let state: KeyEntry.State

    @inline(__always)
    init(slot: KeySlot, state: KeyEntry.State, details: UnsafeRawPointer?) {
        self.slot = slot
        self.state = state
        self.details = details
    }

    public var id: KeyID { KeyID(high: slot.id.0, low: slot.id.1) }
    public var digest: SecretDigest { SecretDigest(words: slot.digest) }
    public var version: UInt32 { slot.version }
    /// In milliseconds, rounded down. A secret that had expired when it was read has the Unix epoch, which is past by
    /// every clock.
    public var expiresAt: Timestamp? { slot.expiresAt }
    /// The texts of the key, its policy and its metadata.
    public var texts: KeyTexts { KeyTexts(at: details) }

    /// Returns true if the key has expired.
    @inline(__always)
    public func isExpired(at now: Timestamp) -> Bool {
        slot.expiresAt.map { $0 <= now } ?? false
    }

    /// True if the key has a policy.
    @inline(__always)
    var hasPolicy: Bool { slot.hasPolicy }

    /// A copy that may outlive the call.
    public var principal: Principal {
        let texts = texts
        return Principal(
            keyID: id,
            name: String(decoding: texts.name, as: UTF8.self),
            owner: texts.owner.isEmpty ? nil : String(decoding: texts.owner, as: UTF8.self),
            scopes: String(decoding: texts.scopes, as: UTF8.self).split(separator: " ").map(String.init),
            expiresAt: expiresAt.flatMap { $0.microseconds == 0 ? nil : $0 })
    }
}
