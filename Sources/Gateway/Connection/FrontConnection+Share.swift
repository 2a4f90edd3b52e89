import AuthKeys
import Metrics
import NIOCore

/// The share of the gateway that a request's account gets.
extension FrontConnection {
    /// Counts the request against its key, or against the client's network where it has no key. Returns the refusal where the
    /// account has its share already.
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

    /// Reserves a place for the tunnel that the upstream may agree to.
    private func acquireTunnel() -> Answer? {
        guard loop.acquireTunnel(for: record.account) else {
            loop.metrics.shareRefusals.increment()
            return loop.tunnels.held(by: record.account) > 0 ? .tooManyConcurrent : .overloaded
        }
        record.holdsTunnel = true
        return nil
    }

    /// Ends what `countAgainstAccount` began. An upstream connection that still has to send what came through a tunnel keeps the
    /// tunnel's place.
    func leaveAccount() {
        if record.countsAgainstAccount { loop.shared.accounts.end(record.account) }
        record.countsAgainstAccount = false
        guard record.holdsTunnel else { return }
        record.holdsTunnel = false
        guard let upstream else { return loop.tunnels.release(record.account) }
        upstream.onTunnelClosed = { [loop, account = record.account] in loop.tunnels.release(account) }
    }

    // MARK: Eviction

    /// The time since which the client has taken or sent nothing although it is its turn; nil while it is not.
    func stalledSince(on pool: UpstreamPool) -> NIODeadline? {
        guard let upstream, upstream.pool === pool else { return nil }
        switch exchange.stage {
        case .responding where !isWritable: return exchange.lastProgress
        case .awaiting where exchange.awaitsBody && upstream.isWritable: return exchange.lastProgress
        default: return nil
        }
    }

    /// The time since which nothing has passed through the tunnel; nil where it is none.
    var tunnelSilentSince: NIODeadline? {
        exchange.stage == .tunneling ? exchange.lastTunnelProgress : nil
    }

    /// Ends the exchange in favour of others.
    func evict(now: NIODeadline) {
        loop.metrics.evicted(exchange.stage)
        dismissal = .makesRoom
        perform(exchange.evict(now: now))
        flush()
    }
}
