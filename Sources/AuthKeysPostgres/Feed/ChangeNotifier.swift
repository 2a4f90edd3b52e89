import LibPQ
import Logging
import Synchronization

/// Notifies the other instances of changes, after the commit. Notifications that arrive while one is being sent are
/// merged into one. NOTIFY serialises commits, so it is sent rarely, in its own transaction, and never by a trigger.
package final class ChangeNotifier: Sendable {
    static let channel = "keyward_changes"

    private enum Phase {
        case idle
        case sending
        case sendingAndAgain
    }

    private let pool: PostgresPool
    private let logger: Logger
    private let phase = Mutex(Phase.idle)

    init(pool: PostgresPool, logger: Logger) {
        self.pool = pool
        self.logger = logger
    }

    /// Schedules a notification and returns at once.
    package func changed() {
        let starts = phase.withLock { phase in
            switch phase {
            case .idle:
                phase = .sending
                return true
            case .sending, .sendingAndAgain:
                phase = .sendingAndAgain
                return false
            }
        }
        if starts { Task { await send() } }
    }

    private func send() async {
        var again = true
        while again {
            do {
                _ = try await pool.query("SELECT pg_notify($1, '')", [.text(Self.channel)])
            } catch {
                logger.debug("the change could not be announced, and other instances read it at their next poll")
            }
            again = phase.withLock { phase in
                defer { phase = phase == .sendingAndAgain ? .sending : .idle }
                return phase == .sendingAndAgain
            }
        }
    }
}
