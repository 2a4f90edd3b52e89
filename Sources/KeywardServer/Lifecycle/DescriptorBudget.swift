import Gateway
import Glibc

/// How the file descriptors that this process may open are shared out. Without a plan, connections of clients would use them
/// up, and none would be left for upstreams and PostgreSQL.
struct DescriptorBudget {
    /// For PostgreSQL, the control listener, files, and the event loops themselves.
    static let reserve = 192
    /// Fewer are not worth a start.
    static let minimum = 256

    /// How many there are.
    let limit: Int

    /// Raises the process's limit as far as it may go.
    static func raised() -> DescriptorBudget {
        var limits = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0 else {
            return DescriptorBudget(limit: 1_024)
        }
        if limits.rlim_cur < limits.rlim_max {
            var raised = limits
            raised.rlim_cur = limits.rlim_max
            if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 { limits = raised }
        }
        return DescriptorBudget(limit: Int(clamping: limits.rlim_cur))
    }

    /// Lowers the gateway's limits to what there are descriptors for. False when nothing had to be lowered. An eighth more
    /// connections than the limit are taken for a moment, to be told that there are too many.
    func fit(_ configuration: inout GatewayConfiguration) -> Bool {
        let targets = configuration.routes.reduce(0) { $0 + $1.upstreams.count }
        let pools = max(1, configuration.threads * targets)
        let (clients, upstreams) = (
            configuration.limits.connections, configuration.limits.upstreamConnectionsPerLoop
        )
        let available = limit - Self.reserve
        guard clients + clients / 8 + upstreams * pools > available else { return false }
        let fitting = max(1, min(clients, available / 2 * 8 / 9))
        configuration.limits.connections = fitting
        configuration.limits.upstreamConnectionsPerLoop = max(
            1, min(upstreams, (available - fitting - fitting / 8) / pools))
        return true
    }
}
