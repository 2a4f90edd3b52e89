public import AuthKeys
import Synchronization

/// An in-memory fake of `InstanceStore`, with the clock of a test as the database's.
public final class InMemoryInstances: InstanceStore {
    private struct State {
        var rows: [KeyID: (heartbeat: Heartbeat, startedAt: Timestamp, seenAt: Timestamp)] = [:]
        var failure: StoreError?
        var removals = 0
    }

    private let time: TimeSource
    private let state = Mutex(State())

    public init(time: TimeSource = .system) {
        self.time = time
    }

    /// The failure of all calls; nil for none.
    public var failure: StoreError? {
        get { state.withLock { $0.failure } }
        set { state.withLock { $0.failure = newValue } }
    }

    /// The number of calls of `removeOld`.
    public var removals: Int { state.withLock { $0.removals } }

    /// The last heartbeats, in no order.
    public var heartbeats: [Heartbeat] { state.withLock { $0.rows.values.map(\.heartbeat) } }

    public func record(_ heartbeat: Heartbeat) async throws(StoreError) -> Int {
        let now = time.now()
        return try attempt { state in
            let id = heartbeat.identity.id
            let startedAt = state.rows[id]?.startedAt ?? now.advanced(by: .zero - heartbeat.uptime)
            state.rows[id] = (heartbeat, startedAt, now)
            return state.rows.values.count { Self.isLive($0.seenAt, at: now) }
        }
    }

    public func remove(_ id: KeyID) async throws(StoreError) {
        try attempt { $0.rows[id] = nil }
    }

    public func removeOld() async throws(StoreError) {
        let oldest = time.now().advanced(by: .seconds(-300))
        try attempt { state in
            state.removals += 1
            state.rows = state.rows.filter { $0.value.seenAt >= oldest }
        }
    }

    public func instances() async throws(StoreError) -> [InstanceRecord] {
        let now = time.now()
        return try attempt { state in
            state.rows.values.map { row in
                let progress = row.heartbeat.progress
                return InstanceRecord(
                    identity: row.heartbeat.identity, startedAt: row.startedAt, seenAt: row.seenAt,
                    isLive: Self.isLive(row.seenAt, at: now), progress: progress,
                    lag: progress.applied == nil ? nil : 0, figures: row.heartbeat.figures)
            }.sorted { ($0.isLive ? 0 : 1, $0.identity.name) < ($1.isLive ? 0 : 1, $1.identity.name) }
        }
    }

    private func attempt<R>(_ body: (inout State) -> R) throws(StoreError) -> R {
        let result: Result<R, StoreError> = state.withLock { state in
            if let failure = state.failure { return .failure(failure) }
            return .success(body(&state))
        }
        return try result.get()
    }

    private static func isLive(_ seenAt: Timestamp, at now: Timestamp) -> Bool {
        seenAt.advanced(by: InstanceHeartbeat.liveTime) >= now
    }
}
