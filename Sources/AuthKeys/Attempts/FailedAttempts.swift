public import Logging
import Metrics
import Synchronization

/// Limits the failed attempts of each client network to send a valid key, in the memory of one instance.
///
/// Only the refusal of a credential that does not exist asks it. So a valid key is never affected, and takes no lock.
public final class FailedAttempts: Sendable {
    /// The kind of credentials, for metrics and the log.
    public enum Credentials: String, Sendable {
        case keys
        case adminKeys = "admin_keys"
    }

    /// The networks that are kept in memory, of 32 bytes each.
    public static let capacity = 65_536
    /// The time between two lines in the log.
    static let reportInterval = Duration.seconds(60)
    private static let shardCount = 64

    private final class Shard: Sendable {
        let table: Mutex<AttemptTable>

        init(_ table: AttemptTable) {
            self.table = Mutex(table)
        }
    }

    private let shards: [Shard]
    /// Random, so that clients cannot select networks of one set.
    private let seed: UInt64
    private let credentials: Credentials
    private let time: TimeSource
    private let logger: Logger
    private let limited: Counter
    /// The uptime in nanoseconds from which the next refused attempt is logged.
    private let nextReport = Atomic<Int64>(0)

    /// - Parameter capacity: the number of networks that are kept.
    public init(
        _ rate: AttemptRate, of credentials: Credentials, capacity: Int = FailedAttempts.capacity,
        time: TimeSource = .system, logger: Logger
    ) {
        let sets = max(1, capacity / AttemptTable.ways / Self.shardCount)
        shards = (0..<Self.shardCount).map { _ in Shard(AttemptTable(sets: sets, rate: rate)) }
        seed = .random(in: .min ... .max)
        self.credentials = credentials
        self.time = time
        self.logger = logger
        limited = Counter(
            label: "keyward_failed_attempts_limited_total", dimensions: [("credentials", credentials.rawValue)])
    }

    /// Counts a failed attempt.
    /// - Returns: nil if the budget of the client's network allows it; otherwise the whole seconds, at least 1, until
    ///   it allows one.
    public func count(from address: IPAddress) -> Int? {
        let network = AttemptNetwork(address)
        let hash = network.hash(seed: seed)
        let uptime = time.uptime()
        let seconds = shards[Int(hash >> 58)].table.withLock { table in
            table.take(network, hash: hash, at: uptime / .seconds(1))
        }
        guard let seconds else { return nil }
        limited.increment()
        if isReportDue(at: uptime) { Task { report() } }
        return max(1, Int(min(seconds, 1e9).rounded(.up)))
    }

    /// The number of networks whose attempts are refused now.
    public var exceededCount: Int {
        let now = time.uptime() / .seconds(1)
        return shards.reduce(0) { sum, shard in sum + shard.table.withLock { $0.exceededCount(at: now) } }
    }

    /// Returns true for one caller each minute.
    private func isReportDue(at uptime: Duration) -> Bool {
        let (now, next) = (uptime.nanoseconds, nextReport.load(ordering: .relaxed))
        guard now >= next else { return false }
        let following = now + Self.reportInterval.nanoseconds
        return nextReport.compareExchange(expected: next, desired: following, ordering: .relaxed).exchanged
    }

    /// Logs the network with the most refused attempts since the last line.
    private func report() {
        var refusals = AttemptTable.Refusals()
        for shard in shards { refusals.add(shard.table.withLock { $0.takeRefusals() }) }
        guard let worst = refusals.worst else { return }
        logger.warning(
            "a client network sends too many invalid credentials",
            metadata: [
                "credentials": "\(credentials.rawValue)", "network": "\(worst.network)",
                "attempts": .stringConvertible(worst.attempts), "networks": .stringConvertible(refusals.networks),
            ])
    }
}
