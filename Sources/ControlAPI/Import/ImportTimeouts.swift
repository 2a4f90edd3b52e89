import HTTPTypes
import Synchronization

/// The timeouts for the lines of an import. Its transaction stays open meanwhile, and events that are recorded after
/// its start are not sealed in the audit trail.
public struct ImportTimeouts: Sendable {
    /// The total wait for one batch: a mebibyte, 2,000 lines, or the rest.
    public var batch: Duration
    /// The total wait for all batches.
    public var total: Duration

    public init(batch: Duration = .seconds(30), total: Duration = .seconds(600)) {
        self.batch = batch
        self.total = total
    }
}

/// Measures how long an import waits for its lines, and ends the import at the timeout. The time that the database
/// takes does not count.
final class ImportWait: Sendable {
    private struct State {
        var batch = Duration.zero
        var total = Duration.zero
        var since: ContinuousClock.Instant?
    }

    private let timeouts: ImportTimeouts
    private let state = Mutex(State())

    init(_ timeouts: ImportTimeouts) {
        self.timeouts = timeouts
    }

    /// Runs `body`, and throws if its lines do not arrive within the timeouts.
    func limit<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) async throws -> R {
        try await withThrowingTaskGroup(of: R?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await self.runOut()
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let result = first else { throw tooSlow }
            return result
        }
    }

    func beginBatch() {
        state.withLock { $0.batch = .zero }
    }

    func beginWaiting() {
        state.withLock { $0.since = .now }
    }

    func endWaiting() {
        state.withLock { state in
            guard let since = state.since else { return }
            state.batch += .now - since
            state.total += .now - since
            state.since = nil
        }
    }

    /// Returns when a timeout has passed.
    private func runOut() async throws {
        while true {
            let rest = state.withLock { state in
                let waiting = state.since.map { .now - $0 } ?? .zero
                return min(timeouts.batch - state.batch, timeouts.total - state.total) - waiting
            }
            if rest <= .zero { return }
            try await Task.sleep(for: rest)
        }
    }

    private var tooSlow: APIError {
        APIError(
            .requestTimeout, .invalidRequest, "the lines arrived too slowly, and no key was imported",
            code: "body_too_slow")
    }
}
