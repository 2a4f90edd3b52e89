import Dispatch
public import Logging
import Synchronization

/// A bounded set of connections that are replaced when they fail.
///
/// Connections are opened only while `run()` runs. While the database is unreachable, a call fails within its deadline,
/// or at once if the failure is already known. A connection that died unnoticed, for instance in a server restart, is
/// replaced before anything is sent on it.
public final class PostgresPool: PostgresExecutor {
    private enum Lease {
        case lent(PoolState.ConnectionID, PostgresConnection)
        case refused(PostgresError)
    }

    private struct Guarded {
        var state: PoolState
        var connections: [PoolState.ConnectionID: PostgresConnection] = [:]
        var waiters: [PoolState.WaiterID: CheckedContinuation<Lease, Never>] = [:]
        var lastWaiter: PoolState.WaiterID = 0
        var lastFailure: PostgresError?
    }

    private let target: PostgresTarget
    private let settings: ConnectionSettings
    private let configuration: PoolConfiguration
    private let warnings = WarningPace()
    private let logger: Logger
    private let guarded: Mutex<Guarded>
    private let toOpen: AsyncStream<PoolState.ConnectionID>
    private let opening: AsyncStream<PoolState.ConnectionID>.Continuation

    /// Creates a pool. It opens connections only when `run()` runs and a caller requests one.
    public init(
        target: PostgresTarget, settings: ConnectionSettings = .init(), configuration: PoolConfiguration = .init(),
        logger: Logger
    ) {
        self.target = target
        self.settings = settings
        self.configuration = configuration
        self.logger = logger
        guarded = Mutex(Guarded(state: PoolState(configuration)))
        (toOpen, opening) = AsyncStream.makeStream()
    }

    /// Opens connections as they are needed, until the task is cancelled or the pool is closed. Call it only once.
    public func run() async {
        await withDiscardingTaskGroup { group in
            for await connection in toOpen {
                group.addTask { await self.open(connection) }
            }
            group.cancelAll()
        }
        await close()
    }

    /// Closes all idle connections and refuses all later calls with `.poolClosed`. Leased connections are closed when
    /// they are returned.
    public func close() async {
        apply { $0.state.close() }
        opening.finish()
    }

    /// The current counts of the pool.
    public var statistics: PoolStatistics { guarded.withLock { $0.state.statistics } }

    /// Lends a connection to `body`, which must not keep it. A connection that is returned busy or in a transaction is
    /// closed. So is one whose session is read-only, because a new one may lead to a server that accepts writes.
    /// - Throws: `.poolExhausted`, `.connectionFailed`, `.poolClosed`, `.cancelled`, or the error that `body` throws.
    public func withConnection<R: Sendable>(
        _ body: @Sendable (PostgresConnection) async throws -> R
    ) async throws -> R {
        let (id, connection) = try await lease()
        defer { giveBack(id, connection) }
        do {
            return try await body(connection)
        } catch let error as PostgresError {
            if error.isReadOnly { connection.abandon() }
            throw error
        }
    }

    /// Runs `body` in a transaction on its own connection (`PostgresConnection.transaction`).
    public func transaction<R: Sendable>(
        _ body: @Sendable (PostgresTransaction) async throws -> R
    ) async throws -> R {
        try await withConnection { try await $0.transaction(body) }
    }

    public func query(
        _ sql: String, _ parameters: [PostgresParameter] = [], timeout: Duration? = nil
    ) async throws(PostgresError) -> PostgresResult {
        try await lend(timeout) { connection, left throws(PostgresError) in
            try await connection.query(sql, parameters, timeout: left)
        }
    }

    public func execute(script: String, timeout: Duration? = nil) async throws(PostgresError) {
        try await lend(timeout) { connection, left throws(PostgresError) in
            try await connection.execute(script: script, timeout: left)
        }
    }

    public func pipeline(
        _ statements: [PostgresStatement], timeout: Duration? = nil
    ) async throws(PostgresError) -> [PostgresResult] {
        try await lend(timeout) { connection, left throws(PostgresError) in
            try await connection.pipeline(statements, timeout: left)
        }
    }

    public func copyOut(
        _ sql: String, timeout: Duration? = nil, row: @escaping @Sendable (inout RowCursor) throws -> Void
    ) async throws(PostgresError) -> Int {
        try await lend(timeout) { connection, left throws(PostgresError) in
            try await connection.copyOut(sql, timeout: left, row: row)
        }
    }

    public func copyIn(
        _ sql: String, timeout: Duration? = nil, chunks: some Sequence<[UInt8]> & Sendable
    ) async throws(PostgresError) -> Int {
        try await lend(timeout) { connection, left throws(PostgresError) in
            try await connection.copyIn(sql, timeout: left, chunks: chunks)
        }
    }
}

extension PostgresPool {
    /// Lends a connection for one call, which gets the rest of the timeout.
    private func lend<R: Sendable>(
        _ timeout: Duration?, _ body: (PostgresConnection, Duration?) async throws(PostgresError) -> R
    ) async throws(PostgresError) -> R {
        let start = ContinuousClock.now
        let (id, connection) = try await lease(timeout)
        defer { giveBack(id, connection) }
        do throws(PostgresError) {
            return try await body(connection, timeout.map { $0 - (.now - start) })
        } catch {
            if error.isReadOnly { connection.abandon() }
            throw error
        }
    }

    private func lease(
        _ timeout: Duration? = nil
    ) async throws(PostgresError) -> (PoolState.ConnectionID, PostgresConnection) {
        let deadline = ContinuousClock.now + min(timeout ?? configuration.acquireTimeout, configuration.acquireTimeout)
        let waiter = guarded.withLock { guarded in
            guarded.lastWaiter += 1
            return guarded.lastWaiter
        }
        var dead: PoolState.ConnectionID?
        while true {
            switch await wait(waiter, until: deadline, replacing: dead) {
            case .refused(let error): throw error
            case .lent(let id, let connection):
                if await connection.isAlive() { return (id, connection) }
                dead = id
            }
        }
    }

    private func wait(
        _ waiter: PoolState.WaiterID, until deadline: ContinuousClock.Instant, replacing dead: PoolState.ConnectionID?
    ) async -> Lease {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                apply { guarded in
                    guarded.waiters[waiter] = continuation
                    guard let dead else { return guarded.state.request(waiter, deadline: deadline, now: .now) }
                    return guarded.state.foundDead(dead, by: waiter, deadline: deadline, now: .now)
                }
                // The cancellation handler may have run before the continuation was stored.
                if Task.isCancelled { withdraw(waiter) }
            }
        } onCancel: {
            withdraw(waiter)
        }
    }

    private func withdraw(_ waiter: PoolState.WaiterID) {
        let continuation = guarded.withLock { guarded in
            guarded.state.withdraw(waiter)
            return guarded.waiters.removeValue(forKey: waiter)
        }
        continuation?.resume(returning: .refused(PostgresError(.cancelled, nothingWasSent: true)))
    }

    private func giveBack(_ id: PoolState.ConnectionID, _ connection: PostgresConnection) {
        let isReusable = connection.isReusable
        apply { $0.state.giveBack(id, isReusable: isReusable, now: .now) }
    }

    private func open(_ id: PoolState.ConnectionID) async {
        do throws(PostgresError) {
            let connection = try await PostgresConnection.connect(to: target, settings: settings, logger: logger)
            warnings.reset()
            apply { guarded in
                guarded.connections[id] = connection
                return guarded.state.connected(id, now: .now)
            }
        } catch {
            // The pool is shutting down.
            let isCancelled = error.kind == .cancelled
            if !isCancelled, warnings.isDue() {
                logger.warning("cannot connect to the database", metadata: ["error": "\(error)"])
            }
            let fraction = Double.random(in: 0...1)
            apply { guarded in
                guarded.lastFailure = error
                return guarded.state.connectFailed(id, fraction: fraction, now: .now)
            }
        }
    }

    /// Applies an event to the state, then performs the resulting actions outside the lock.
    private func apply(_ event: (inout sending Guarded) -> [PoolState.Action]) {
        var effects: [() -> Void] = []
        guarded.withLock { guarded in
            for action in event(&guarded) {
                if let effect = effect(of: action, &guarded) { effects.append(effect) }
            }
        }
        for effect in effects { effect() }
    }

    private func effect(of action: PoolState.Action, _ guarded: inout Guarded) -> (() -> Void)? {
        switch action {
        case .open(let id):
            return { self.opening.yield(id) }
        case .close(let id):
            guard let connection = guarded.connections.removeValue(forKey: id) else { return nil }
            return { connection.abandon() }
        case .lend(let id, let waiter):
            guard let connection = guarded.connections[id],
                let continuation = guarded.waiters.removeValue(forKey: waiter)
            else { return nil }
            return { continuation.resume(returning: .lent(id, connection)) }
        case .refuse(let waiter, let refusal):
            guard let continuation = guarded.waiters.removeValue(forKey: waiter) else { return nil }
            let error = PostgresError(refusal, cause: guarded.lastFailure)
            return { continuation.resume(returning: .refused(error)) }
        case .wake(let instant):
            return {
                DispatchQueue.global().asyncAfter(deadline: DispatchTime(instant)) { [weak self] in
                    self?.apply { $0.state.tick(now: max(.now, instant)) }
                }
            }
        }
    }
}

extension PostgresError {
    fileprivate init(_ refusal: PoolState.Refusal, cause: PostgresError?) {
        switch refusal {
        case .closed: self.init(.poolClosed, nothingWasSent: true)
        case .exhausted: self.init(.poolExhausted, nothingWasSent: true)
        case .connectionFailed:
            self.init(
                .connectionFailed, detail: cause?.debugDescription ?? "", sqlState: cause?.sqlState,
                nothingWasSent: true, underlying: cause)
        }
    }
}
