import NIOCore

/// Room for accounts that hold less, made by ending what makes no progress.
extension GatewayLoop {
    /// The time without progress after which an exchange may be ended while others wait.
    static let stallLimit = TimeAmount.seconds(2)
    /// The exchanges that one look at a pool ends at most.
    private static let reliefLimit = 64

    /// Ends exchanges whose clients stall, while requests of accounts that hold fewer connections wait for one.
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

    /// Acquires a place for a tunnel, if need be in the place of a silent one of an account that has more.
    func acquireTunnel(for account: Account) -> Bool {
        if tunnels.acquire(account) { return true }
        // With one place more, the account would still have too many.
        guard tunnels.held(by: account) <= tunnels.free else { return false }
        let now = NIODeadline.now()
        let silent = stalled(before: now - timeouts.idle) { $0.tunnelSilentSince }
        evict(1, of: silent, beyond: tunnels.held(by: account) + 1, held: tunnels.held, now: now)
        return tunnels.acquire(account)
    }

    private typealias Stalled = (front: FrontConnection, since: NIODeadline)

    /// The exchanges that have made no progress since before a moment.
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
