import LibPQ
import Logging
import Synchronization

/// Tells the other instances, after a commit, that there is something to read. Notifications that come while one is being
/// sent become one: NOTIFY serialises commits, so it is sent rarely, by itself, and never from a trigger.
final class ChangeNotifier: Sendable {
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

    /// Returns at once.
    func changed() {
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
                logger.debug("change could not be announced, instances will see it at their next look")
            }
            again = phase.withLock { phase in
                defer { phase = phase == .sendingAndAgain ? .sending : .idle }
                return phase == .sendingAndAgain
            }
        }
    }
}
