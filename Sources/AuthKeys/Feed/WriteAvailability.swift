import Synchronization

/// The state of the database's writes, as the last write or probe found it. Reads, and so verification, do not depend
/// on it.
public final class WriteAvailability: Sendable {
    private let refused = Atomic<Bool>(false)

    /// Writes count as accepted until one is refused.
    public init() {}

    /// True while the database refuses writes because it is read-only or a standby.
    public var isReadOnly: Bool { refused.load(ordering: .relaxed) }

    /// Records the outcome of a write or a probe. Returns true if it differs from the previous one.
    public func record(isReadOnly: Bool) -> Bool {
        refused.exchange(isReadOnly, ordering: .relaxed) != isReadOnly
    }
}
