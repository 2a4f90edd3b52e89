import Metrics
import NIOCore
import RequestLog

/// Accounting of a request against the share of its account.
extension FrontConnection {
    /// Counts the request against its key, or against the client's network if it has no key. Returns the refusal if the
    /// account has used up its share.
    func countAgainstAccount(bytes: UnsafeRawBufferPointer) -> Answer? {
        record.account =
            record.keyID.map(Account.init(key:)) ?? Account(network: forwarded.client(head, bytes: bytes))
        guard loop.shared.accounts.begin(record.account, limit: loop.configuration.limits.requestsPerKey) else {
            loop.metrics.shareRefusals.increment()
            return .tooManyConcurrent
        }
        record.countsAgainstAccount = true
        return head.upgrades ? acquireTunnel() : nil
    }

    /// Reserves a tunnel for the upgrade that the upstream may accept.
    private func acquireTunnel() -> Answer? {
        guard loop.acquireTunnel(for: record.account) else {
            loop.metrics.shareRefusals.increment()
            return loop.tunnels.held(by: record.account) > 0 ? .tooManyConcurrent : .overloaded
        }
        record.holdsTunnel = true
        return nil
    }

    /// Reverts `countAgainstAccount`. An upstream connection that still sends bytes of a tunnel keeps the tunnel's
    /// reservation until it closes.
    func leaveAccount() {
        if record.countsAgainstAccount { loop.shared.accounts.end(record.account) }
        record.countsAgainstAccount = false
        guard record.holdsTunnel else { return }
        record.holdsTunnel = false
        guard let upstream else { return loop.tunnels.release(record.account) }
        upstream.onTunnelClosed = { [loop, account = record.account] in loop.tunnels.release(account) }
    }

    // MARK: Eviction

    /// The time since which the client has neither read nor sent, if it is its turn; otherwise nil.
    func stalledSince(on pool: UpstreamPool) -> NIODeadline? {
        guard let upstream, upstream.pool === pool else { return nil }
        switch exchange.stage {
        case .responding where !isWritable: return exchange.lastProgress
        case .awaiting where exchange.awaitsBody && upstream.isWritable: return exchange.lastProgress
        default: return nil
        }
    }

    /// The time since which nothing has passed through the tunnel; nil if the exchange is not a tunnel.
    var tunnelSilentSince: NIODeadline? {
        exchange.stage == .tunneling ? exchange.lastTunnelProgress : nil
    }

    /// Ends the exchange so that other requests can use its connection.
    func evict(now: NIODeadline) {
        loop.metrics.evicted(exchange.stage)
        closeReason = .makesRoom
        record.end(.terminated, "evicted")
        cut(exchange.evict(now: now))
    }
}
