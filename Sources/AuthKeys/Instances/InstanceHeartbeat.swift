public import Logging
import Metrics
import Synchronization

/// Records every 5 s in the database that this instance runs, and counts the live instances.
///
/// Verification does not depend on it. A heartbeat that cannot be written is counted, and the next one follows as
/// usual. The first failure after a success is logged.
public final class InstanceHeartbeat: Sendable {
    /// The time between two heartbeats.
    public static let interval = Duration.seconds(5)
    /// The time after its last heartbeat for which an instance counts as live.
    public static let liveTime = Duration.seconds(10)
    /// The number of heartbeats after which an instance also removes the old rows of others: every five minutes.
    static let beatsPerRemoval = 60

    /// Returns figures by name, for operators.
    public typealias Figures = @Sendable () -> [String: JSONValue]

    private struct State {
        var figures: [Figures] = []
        /// The instance that may have a row in the database.
        var recorded: KeyID?
        var lastCount: (instances: Int, at: Duration)?
        var hasFailed = false
    }

    private let store: any InstanceStore
    private let progress: @Sendable () -> InstanceProgress
    private let time: TimeSource
    private let logger: Logger
    private let startedAt: Duration
    private let state = Mutex(State())
    private let failures = Counter(label: "keyward_heartbeat_failures_total")

    /// - Parameter progress: returns the position of this instance in the change feed.
    public init(
        store: any InstanceStore, time: TimeSource = .system, logger: Logger,
        progress: @escaping @Sendable () -> InstanceProgress
    ) {
        self.store = store
        self.time = time
        self.logger = logger
        self.progress = progress
        startedAt = time.uptime()
    }

    /// Adds a provider of figures. It is called with each heartbeat, and must return at once. Of figures with the same
    /// name, the one of the last provider counts.
    public func addFigures(_ figures: @escaping Figures) {
        state.withLock { $0.figures.append(figures) }
    }

    /// The number of live instances at the last heartbeat, this one included; nil if that heartbeat is too old to tell.
    public var liveInstances: Int? {
        let now = time.uptime()
        return state.withLock { state in
            state.lastCount.flatMap { now - $0.at <= Self.liveTime ? $0.instances : nil }
        }
    }

    /// Writes heartbeats until the task is cancelled. `end` removes the row then.
    public func run(as identity: InstanceIdentity) async {
        var beats = 0
        while !Task.isCancelled {
            let start = time.uptime()
            await beat(as: identity, at: start)
            beats += 1
            if beats.isMultiple(of: Self.beatsPerRemoval) { await removeOld() }
            // A heartbeat that timed out must not delay the next one beyond the live time.
            let rest = max(Self.interval - (time.uptime() - start), .seconds(1))
            do { try await time.sleep(rest) } catch { return }
        }
    }

    /// Removes the row of this instance, so that others do not wait for it to expire. Call it after `run` has ended.
    public func end() async {
        guard let id = state.withLock({ $0.recorded }) else { return }
        do throws(StoreError) {
            try await store.remove(id)
        } catch {
            logger.debug("this instance could not be removed from the list", metadata: ["error": "\(error)"])
        }
    }

    private func beat(as identity: InstanceIdentity, at start: Duration) async {
        state.withLock { $0.recorded = identity.id }
        let heartbeat = Heartbeat(
            identity: identity, uptime: start - startedAt, progress: progress(), figures: figures())
        do throws(StoreError) {
            let count = try await store.record(heartbeat)
            let hasFailed = state.withLock { state in
                state.lastCount = (count, start)
                defer { state.hasFailed = false }
                return state.hasFailed
            }
            if hasFailed { logger.info("the heartbeat of this instance can be written again") }
        } catch {
            // Shutdown cancels the statement.
            if Task.isCancelled { return }
            failures.increment()
            let isFirst = state.withLock { state in
                defer { state.hasFailed = true }
                return !state.hasFailed
            }
            guard isFirst else { return }
            logger.notice(
                "the heartbeat of this instance cannot be written, and it is missing from the list of instances",
                metadata: ["error": "\(error)"])
        }
    }

    private func removeOld() async {
        do throws(StoreError) {
            try await store.removeOld()
        } catch {
            logger.debug("old instances could not be removed from the list", metadata: ["error": "\(error)"])
        }
    }

    /// Returns the figures of all providers as a JSON object; an empty one if they exceed the limit.
    private func figures() -> String {
        let providers = state.withLock { $0.figures }
        var figures: [String: JSONValue] = [:]
        for provider in providers { figures.merge(provider()) { $1 } }
        let text = JSONValue.object(figures).text
        return text.utf8.count <= Heartbeat.figureLimit ? text : "{}"
    }
}
