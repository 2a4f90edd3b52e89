import ControlAPI
import Gateway
import Glibc
import NIOCore

/// The distribution of the process's file descriptors among the connections of clients, of upstreams and of the control
/// listener.
///
/// It keeps a reserve that connections cannot use. Without the reserve, connections to PostgreSQL and files would fail,
/// and the concurrency runtime would trap when it cannot open `/proc/<thread>/stat` (libdispatch,
/// `src/event/workqueue.c`).
struct DescriptorBudget {
    /// The smallest connection limit of the control listener.
    static let fewestControlConnections = 16

    /// The number of descriptors that this process may open.
    let limit: Int
    /// The number of descriptors for other uses: event loops, PostgreSQL, files, and connections that are accepted only
    /// to be closed.
    let reserve: Int
    /// The number of pools of upstream connections: one for each target on each event loop.
    private let pools: Int
    private let threads: Int
    /// The number of descriptors of an upstream connection: two for the built-in echo, because this process holds both
    /// ends.
    private let perUpstreamConnection: Int

    init(limit: Int, _ configuration: GatewayConfiguration, isEcho: Bool) {
        self.limit = limit
        // Each event loop has an epoll, an event and a timer descriptor (NIOPosix, `Selector`).
        threads = configuration.threads
        reserve = 160 + 3 * (configuration.threads + System.coreCount + 1)
        pools = max(1, configuration.threads * configuration.routes.reduce(0) { $0 + $1.upstreams.count })
        perUpstreamConnection = isEcho ? 2 : 1
    }

    /// Raises the process's descriptor limit to the hard limit, and returns it.
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

    /// The smallest number of descriptors with which an instance can start.
    var minimum: Int {
        var control = ConnectionLimits()
        control.total = Self.fewestControlConnections
        var clients = GatewayConfiguration.Limits()
        clients.connections = 8
        return reserve + control.descriptors + clients.clientDescriptors + pools * perUpstreamConnection + threads
    }

    /// Lowers the connection limits to the available descriptors. The control listener gets an eighth. Of the rest,
    /// clients get a half, upstreams three eighths, and tunnels an eighth. Returns false if the limits were low enough.
    func fit(_ gateway: inout GatewayConfiguration.Limits, _ control: inout ConnectionLimits) -> Bool {
        let perPool = pools * perUpstreamConnection
        let available = limit - reserve
        let wanted =
            gateway.clientDescriptors + gateway.upstreamConnectionsPerLoop * perPool + gateway.tunnelsPerLoop * threads
            + control.descriptors
        guard wanted > available else { return false }
        let wantedTotal = control.total
        control.total = min(control.total, max(Self.fewestControlConnections, (available - perPool - threads) / 8))
        // The share of one address stays as it was.
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
