import ControlAPI
import Gateway
import Testing

@testable import KeywardServer

@Suite("Descriptor budget")
struct DescriptorBudgetTests {
    private func configuration(upstreams: Int = 1, threads: Int = 2) -> GatewayConfiguration {
        var configuration = GatewayConfiguration(
            routes: [Route(upstreams: (0..<upstreams).map { Upstream(host: "a", port: $0 + 1) })])
        configuration.threads = threads
        return configuration
    }

    @Test("no limit is lowered if there are enough descriptors")
    func enough() {
        let configuration = configuration()
        var (gateway, control) = (configuration.limits, ConnectionLimits())
        #expect(!DescriptorBudget(limit: 65_536, configuration, isEcho: false).fit(&gateway, &control))
        #expect(gateway.connections == 10_000 && gateway.upstreamConnectionsPerLoop == 1_024)
        #expect(control == ConnectionLimits())
    }

    @Test(
        "clients, upstreams, the control listener and the reserve fit into a low limit",
        arguments: [nil, 1_024, 4_096, 12_000], [false, true])
    func fits(_ limit: Int?, _ isEcho: Bool) {
        for (upstreams, threads) in [(1, 2), (3, 2), (1, 64), (8, 64)] {
            let configuration = configuration(upstreams: upstreams, threads: threads)
            var (gateway, control) = (configuration.limits, ConnectionLimits())
            let minimum = DescriptorBudget(limit: 0, configuration, isEcho: isEcho).minimum
            let budget = DescriptorBudget(limit: max(limit ?? 0, minimum), configuration, isEcho: isEcho)
            #expect(budget.fit(&gateway, &control))
            #expect(gateway.connections >= 1 && gateway.upstreamConnectionsPerLoop >= 1 && control.total >= 16)
            let pools = gateway.upstreamConnectionsPerLoop * threads * upstreams * (isEcho ? 2 : 1)
            let tunnels = gateway.tunnelsPerLoop * threads
            #expect(tunnels >= threads)
            #expect(control.perAddress <= control.total / 4, "one address cannot use all connections of the listener")
            #expect(gateway.clientDescriptors + pools + tunnels + control.descriptors + budget.reserve <= budget.limit)
        }
    }
}
