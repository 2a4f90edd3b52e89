import AuthKeys
import LibPQ
import Logging

/// A monitor that detects if the database accepts writes. After a failover, connections may lead to a standby, and an
/// operator may make a database read-only. It logs each change once.
struct WriteMonitor: Sendable {
    static let interval = Duration.seconds(5)

    /// PostgreSQL refuses this in a read-only session, although it finds no row and writes nothing.
    private static let probe = "SELECT id FROM auth_keys WHERE false FOR UPDATE"

    let availability: WriteAvailability
    let logger: Logger

    /// Probes until the task is cancelled. A probe that fails for another reason says nothing about writes.
    func run(on pool: PostgresPool) async {
        while (try? await Task.sleep(for: Self.interval)) != nil {
            do throws(PostgresError) {
                // The pool replaces a read-only connection, so the second attempt may reach a server that accepts
                // writes.
                if try await isReadOnly(pool) {
                    record(isReadOnly: try await isReadOnly(pool))
                } else {
                    record(isReadOnly: false)
                }
            } catch {}
        }
    }

    /// Records a failed statement that reveals a read-only database.
    func note(_ error: any Error) {
        if (error as? PostgresError)?.isReadOnly == true { record(isReadOnly: true) }
    }

    private func isReadOnly(_ pool: PostgresPool) async throws(PostgresError) -> Bool {
        do throws(PostgresError) {
            _ = try await pool.query(Self.probe, [], timeout: .seconds(5))
            return false
        } catch {
            guard error.isReadOnly else { throw error }
            return true
        }
    }

    private func record(isReadOnly: Bool) {
        guard availability.record(isReadOnly: isReadOnly) else { return }
        if isReadOnly {
            logger.error(
                "the database is read-only: keys are verified, but changes of keys and usage counts are refused",
                metadata: [
                    "reason": "database_read_only",
                    "remedy":
                        "connect to the primary, or reset default_transaction_read_only; 'keyward doctor' says which",
                ])
        } else {
            logger.notice("the database accepts writes again")
        }
    }
}
