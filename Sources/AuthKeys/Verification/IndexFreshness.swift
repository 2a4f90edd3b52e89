import Metrics
import Synchronization

/// How far behind the index may be, and whether it still may be served.
///
/// A look at the database that worked makes the index fresh. Keys are honoured for `maxStaleness` after the last such look;
/// with zero, until the first look that fails. Before the first load nothing is served.
public final class IndexFreshness: Sendable {
    /// What the outside is told.
    public enum Standing: String, Sendable {
        /// Loaded, and the last look at the database worked.
        case ready
        /// Served from memory: the database could not be read at the last look.
        case degraded
        /// Not served.
        case unavailable
    }

    private struct State {
        var lastSync: Duration?
        var failedSince: Duration?
    }

    private let maxStaleness: Duration
    private let time: TimeSource
    private let state = Mutex(State())
    private let serving = Atomic<Bool>(false)

    public init(maxStaleness: Duration, time: TimeSource = .system) {
        self.maxStaleness = maxStaleness
        self.time = time
    }

    /// Whether keys may be verified. One relaxed load.
    @inline(__always)
    public var isServing: Bool { serving.load(ordering: .relaxed) }

    public var standing: Standing {
        guard isServing else { return .unavailable }
        return state.withLock { $0.failedSince == nil ? .ready : .degraded }
    }

    /// Time since the last look that worked; nil before the first.
    public var age: Duration? {
        state.withLock { $0.lastSync }.map { time.uptime() - $0 }
    }

    /// A look that began at `start` worked: the index is as of then.
    public func recordSync(startedAt start: Duration) {
        state.withLock {
            $0.lastSync = max($0.lastSync ?? start, start)
            $0.failedSince = nil
            serving.store(true, ordering: .relaxed)
        }
    }

    /// A look may be under way and not come back. To be called now and then: stops the service of keys that are older than
    /// allowed by more than a look takes.
    public func checkAge() {
        guard let age, age > maxStaleness + Self.lookAllowance else { return }
        recordFailure()
    }

    /// How long a look may take before its not coming back counts against the keys' age.
    private static let lookAllowance = Duration.seconds(5)

    /// A look failed, or is taking too long.
    public func recordFailure() {
        let now = time.uptime()
        state.withLock {
            if $0.failedSince == nil { $0.failedSince = now }
            guard let lastSync = $0.lastSync, now - lastSync <= maxStaleness, maxStaleness > .zero else {
                serving.store(false, ordering: .relaxed)
                return
            }
        }
    }
}
