import AuthKeys
import LibPQ

extension PostgresAuthKeyStore {
    /// How many times a transaction is repeated that the server rolled back because of others at the same time.
    private static let repetitions = 8

    /// Runs a call that owns its whole transaction, and that does no harm when it is done twice.
    /// - Throws: `StoreError`, never of an unknown outcome.
    func attempt<R: Sendable>(_ body: @Sendable () async throws -> R) async throws(StoreError) -> R {
        do { return try await repeating(body) } catch { throw StoreError(error) }
    }

    /// Runs a change that owns its whole transaction.
    /// - Throws: `StoreError`; of an unknown outcome where the answer to the commit was lost.
    func change<R: Sendable>(_ body: @Sendable () async throws -> R) async throws(StoreError) -> R {
        do { return try await repeating(body) } catch { throw StoreError(error, isChange: true) }
    }

    /// Repeats what lost a conflict with other transactions: it was rolled back as a whole.
    private func repeating<R: Sendable>(_ body: @Sendable () async throws -> R) async throws -> R {
        var backoff = Backoff(base: .milliseconds(5), cap: .milliseconds(200))
        while true {
            do {
                return try await body()
            } catch let error as PostgresError where error.isConflict && backoff.failures < Self.repetitions {
                try await Task.sleep(for: backoff.failed(fraction: .random(in: 0...1)))
            } catch {
                writeMonitor.note(error)
                throw error
            }
        }
    }
}
