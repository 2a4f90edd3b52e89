/// The kind of source that an entry comes from.
enum ApplyMode: Sendable {
    /// A change made here.
    case change
    /// The change feed: of one version, the database's form counts.
    case feed
    /// A full load.
    case load
    /// A full load that an operator ordered to be believed: ends that it denies are forgotten.
    case acceptingLoad
    /// The reconciliation, which found that the index is wrong, whatever the versions.
    case repair

    var isChange: Bool { self == .change || self == .feed }

    var isLoad: Bool { self == .load || self == .acceptingLoad }
}

/// The effect of an entry on the index.
struct ApplyOutcome: Sendable {
    enum Dispute: Sendable {
        /// The entry denies an end that the index holds. The end stays.
        case raised(DisputedEnd.Kind)
        /// The entry and the index agree about ends.
        case settled
        /// The entry is older than what the index holds, and proves nothing.
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
    /// The same version, with other contents.
    case different
}

extension Timestamp {
    /// The end of a secret that ended for good, whatever any clock says: the beginning of the epoch.
    static let ended = Timestamp(microseconds: 0)
}

extension KeyEntry {
    /// Whether the entry ends no later than `end`, in milliseconds, as the index keeps ends. It may be the key that ends first.
    func keepsEnd(_ end: Timestamp) -> Bool {
        guard let expiresAt else { return false }
        return expiresAt.microseconds / 1_000 <= end.microseconds / 1_000
    }

    /// Whether the secret's own end has passed.
    func hasEnded(at now: Timestamp) -> Bool {
        guard endsSecret, let expiresAt else { return false }
        return expiresAt <= now
    }
}
