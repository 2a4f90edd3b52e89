package import AuthKeys
import LibPQ

/// Runs calls of the database, and converts their errors.
package struct DatabaseCalls: Sendable {
    /// The maximum number of repetitions of a transaction that the server rolled back because of concurrent ones.
    private static let repetitions = 8

    let writeMonitor: WriteMonitor

    /// Runs a call that is its whole transaction, and that may safely run twice.
    /// - Throws: `StoreError`, never of an unknown outcome.
    package func attempt<R: Sendable>(_ body: @Sendable () async throws -> R) async throws(StoreError) -> R {
        do { return try await repeating(body) } catch { throw StoreError(error) }
    }

    /// Runs a change that is its whole transaction.
    /// - Throws: `StoreError`; of an unknown outcome if the result of the commit was lost.
    package func change<R: Sendable>(_ body: @Sendable () async throws -> R) async throws(StoreError) -> R {
        do { return try await repeating(body) } catch { throw StoreError(error, isChange: true) }
    }

    /// Records a failure that reveals a read-only database.
    package func note(_ error: any Error) { writeMonitor.note(error) }

    /// Repeats a transaction that lost a conflict with others. The server has rolled it back completely.
    private func repeating<R: Sendable>(_ body: @Sendable () async throws -> R) async throws -> R {
        var backoff = Backoff(base: .milliseconds(5), cap: .milliseconds(200))
        while true {
            do {
                return try await body()
            } catch let error as PostgresError where error.isConflict && backoff.failures < Self.repetitions {
                try await Task.sleep(for: backoff.failed(fraction: .random(in: 0...1)))
            } catch {
                note(error)
                throw error
            }
        }
    }
}
