import NIOCore

/// Eviction of exchanges without progress, in favour of accounts that hold fewer connections.
extension GatewayLoop {
    /// The time without progress after which an exchange may be ended while others wait.
    static let stallLimit = TimeAmount.seconds(2)
    /// The maximum number of exchanges that one call evicts for a pool.
    private static let reliefLimit = 64

    /// Evicts exchanges whose clients stall, while requests of accounts with fewer connections wait for one.
    func relieve(now: NIODeadline) {
        for group in router.destinations {
            for pool in group.pools {
                guard let pressure = pool.pressure else { continue }
                let stalled = stalled(before: now - Self.stallLimit) { $0.stalledSince(on: pool) }
                let count = min(pressure.waiting, Self.reliefLimit)
                evict(count, of: stalled, beyond: pressure.least, held: pool.held, now: now)
            }
        }
    }

    /// Acquires a tunnel. If none is free for the account, evicts a silent tunnel of an account that holds more.
    func acquireTunnel(for account: Account) -> Bool {
        if tunnels.acquire(account) { return true }
        // After one eviction, the account would still hold more than its share.
        guard tunnels.held(by: account) <= tunnels.free else { return false }
        let now = NIODeadline.now()
        let silent = stalled(before: now - timeouts.idle) { $0.tunnelSilentSince }
        evict(1, of: silent, beyond: tunnels.held(by: account) + 1, held: tunnels.held, now: now)
        return tunnels.acquire(account)
    }

    private typealias Stalled = (front: FrontConnection, since: NIODeadline)

    /// The exchanges without progress since `moment` or earlier.
    private func stalled(before moment: NIODeadline, _ since: (FrontConnection) -> NIODeadline?) -> [Stalled] {
        connections.compactMap { front in
            since(front).flatMap { $0 <= moment ? (front: front, since: $0) : nil }
        }
    }

    private func evict(
        _ count: Int, of stalled: [Stalled], beyond least: Int, held: (Account) -> Int, now: NIODeadline
    ) {
        let candidates = stalled.map { Eviction.Candidate(holder: $0.front.record.account, since: $0.since) }
        for index in Eviction.choose(from: candidates, held: held, beyond: least, count: count) {
            stalled[index].front.evict(now: now)
        }
    }
}
