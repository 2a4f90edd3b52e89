import ControlAPI
import Gateway
import Glibc
import NIOCore

/// Shares the file descriptors that this process may open out among the connections of clients, of upstreams and of the control
/// listener, and keeps a reserve that none of them can use up. Without one, PostgreSQL and files get none; the concurrency
/// runtime even traps where it cannot open `/proc/<thread>/stat` (libdispatch, `src/event/workqueue.c`).
struct DescriptorBudget {
    /// The fewest connections that the control listener is left with.
    static let fewestControlConnections = 16

    /// The number of descriptors that this process may open.
    let limit: Int
    /// The descriptors that are not for connections: event loops, PostgreSQL, files, and connections that are accepted to be closed.
    let reserve: Int
    /// The pools of upstream connections: one for each target on each event loop.
    private let pools: Int
    private let threads: Int
    /// The descriptors of a connection to an upstream: the built-in echo has its other end in this process, too.
    private let perUpstreamConnection: Int

    init(limit: Int, _ configuration: GatewayConfiguration, isEcho: Bool) {
        self.limit = limit
        // An event loop has an epoll, an event and a timer descriptor (NIOPosix, `Selector`).
        threads = configuration.threads
        reserve = 160 + 3 * (configuration.threads + System.coreCount + 1)
        pools = max(1, configuration.threads * configuration.routes.reduce(0) { $0 + $1.upstreams.count })
        perUpstreamConnection = isEcho ? 2 : 1
    }

    /// Raises the process's limit as far as it may go, and returns it.
    static func raisedLimit() -> Int {
        var limits = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0 else { return 1_024 }
        if limits.rlim_cur < limits.rlim_max {
            var raised = limits
            raised.rlim_cur = limits.rlim_max
            if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 { limits = raised }
        }
        return Int(clamping: limits.rlim_cur)
    }

    /// The fewest descriptors with which a start makes sense.
    var minimum: Int {
        var control = ConnectionLimits()
        control.total = Self.fewestControlConnections
        var clients = GatewayConfiguration.Limits()
        clients.connections = 8
        return reserve + control.descriptors + clients.clientDescriptors + pools * perUpstreamConnection + threads
    }

    /// Lowers limits to what there are descriptors for: an eighth goes to the control listener, and of the rest a half to clients,
    /// three eighths to upstreams and an eighth to tunnels. False when nothing had to be lowered.
    func fit(_ gateway: inout GatewayConfiguration.Limits, _ control: inout ConnectionLimits) -> Bool {
        let perPool = pools * perUpstreamConnection
        let available = limit - reserve
        let wanted =
            gateway.clientDescriptors + gateway.upstreamConnectionsPerLoop * perPool + gateway.tunnelsPerLoop * threads
            + control.descriptors
        guard wanted > available else { return false }
        let wantedTotal = control.total
        control.total = min(control.total, max(Self.fewestControlConnections, (available - perPool - threads) / 8))
        // One address gets the same part of them as before.
        control.perAddress = max(1, min(control.perAddress, control.perAddress * control.total / wantedTotal))
        let rest = available - control.descriptors
        gateway.upstreamConnectionsPerLoop = max(1, min(gateway.upstreamConnectionsPerLoop, rest * 3 / 8 / perPool))
        let left = rest - gateway.upstreamConnectionsPerLoop * perPool
        gateway.tunnelsPerLoop = max(1, min(gateway.tunnelsPerLoop, left / 5 / threads))
        let clients = left - gateway.tunnelsPerLoop * threads - GatewayConfiguration.Limits.overflow
        gateway.connections = max(1, min(gateway.connections, clients * 8 / 9))
        return true
    }
}
