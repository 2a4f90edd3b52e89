public import AuthKeys
import Synchronization

/// The entries that a feed delivered.
public final class Collected: Sendable {
    private let storage = Mutex<[KeyEntry]>([])

    public init() {}

    public var entries: [KeyEntry] { storage.withLock { $0 } }

    public func append(_ entry: KeyEntry) {
        storage.withLock { $0.append(entry) }
    }
}
