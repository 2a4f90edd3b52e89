import Crypto

/// The identifier of the level of a limit: of one key's limit, or of an owner's. Requests compute it without hashing.
public struct LimitID: Sendable, Hashable, Comparable {
    public let high: UInt64
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Hashes a text: the first 16 bytes of SHA-256.
    init(hashing text: some Sequence<UInt8>) {
        var hash = SHA256()
        hash.update(data: Array(text))
        let words = hash.finalize().withUnsafeBytes { digest in
            (digest.loadUnaligned(as: UInt64.self), digest.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }
        self.init(high: UInt64(bigEndian: words.0), low: UInt64(bigEndian: words.1))
    }

    /// The part of the identifier that a limit's kind and name give.
    init(of kind: LimitRule.Kind, named name: String) {
        self.init(hashing: [kind.code] + Array(name.utf8))
    }

    /// The part of the identifier of a limit that a caller defines. Definitions with other numbers have other levels:
    /// a caller that alternates between two would otherwise lose what was taken.
    init(ofDefinedByCaller rule: LimitRule) {
        let numbers = "\(rule.limit)/\(rule.kind)"
        self.init(hashing: [rule.kind.code, 0] + Array(rule.name.utf8) + [0] + Array(numbers.utf8))
    }

    /// The part of the identifier that a key gives.
    @inline(__always)
    init(_ key: KeyID) {
        self.init(high: key.high, low: key.low)
    }

    /// The part of the identifier that an owner gives.
    init(owner: some Sequence<UInt8>) {
        // The first byte differs from that of every kind.
        self.init(hashing: [0xFF] + Array(owner))
    }

    @inline(__always)
    static func ^ (left: LimitID, right: LimitID) -> LimitID {
        LimitID(high: left.high ^ right.high, low: left.low ^ right.low)
    }

    /// Compares bytes, as PostgreSQL does.
    public static func < (left: LimitID, right: LimitID) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

/// The identifier of a plan: the first eight bytes of the SHA-256 of its name, so that a key names its plan in eight
/// bytes. Never zero.
package struct PlanID: Sendable, Hashable {
    let number: UInt64

    init(_ name: String) {
        number = max(1, LimitID(hashing: name.utf8).high)
    }

    /// Returns nil for zero, which stands for no plan.
    init?(number: UInt64) {
        guard number != 0 else { return nil }
        self.number = number
    }
}
