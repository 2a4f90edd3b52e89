/// The kind of source that an entry comes from.
enum ApplyMode: Sendable {
    /// A change made by this instance.
    case change
    /// The change feed: for equal versions, the database's form wins.
    case feed
    /// A full load.
    case load
    /// A full load that an operator ordered to accept: revocations that it denies are forgotten.
    case acceptingLoad
    /// The reconciliation, which found that the index is wrong, whatever the versions.
    case repair

    var isChange: Bool { self == .change || self == .feed }

    var isLoad: Bool { self == .load || self == .acceptingLoad }
}

/// The effect of an entry on the index.
struct ApplyOutcome: Sendable {
    enum Dispute: Sendable {
        /// The entry denies a revocation that the index holds. The revocation stays.
        case raised(DisputedEnd.Kind)
        /// The entry and the index agree about revocations.
        case settled
        /// The entry is older than the index's, and proves nothing.
        case unchanged
    }

    var isChange = false
    var dispute = Dispute.unchanged
}

/// The relation of an index's entry to a row.
enum EntryComparison: Sendable, Equatable {
    /// The index holds no such secret.
    case absent
    /// The index holds an older version.
    case older
    /// The index holds a newer version.
    case newer
    case same
    /// The index holds the version with other contents.
    case different
}

extension Timestamp {
    /// The expiry of a permanently revoked secret, past by any clock: the beginning of the epoch.
    static let ended = Timestamp(microseconds: 0)
}

extension KeyEntry {
    /// True if the entry expires no later than `end`, at the index's resolution of a millisecond. The key may expire
    /// before its secret.
    func keepsEnd(_ end: Timestamp) -> Bool {
        guard let expiresAt else { return false }
        return expiresAt.microseconds / 1_000 <= end.microseconds / 1_000
    }

    /// True if the secret's own expiry has passed.
    func hasEnded(at now: Timestamp) -> Bool {
        guard endsSecret, let expiresAt else { return false }
        return expiresAt <= now
    }
}
