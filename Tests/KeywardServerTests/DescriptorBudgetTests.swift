import Gateway
import Testing

@testable import KeywardServer

@Suite("File descriptors")
struct DescriptorBudgetTests {
    private func configuration(upstreams: Int = 1) -> GatewayConfiguration {
        var configuration = GatewayConfiguration(
            routes: [Route(upstreams: (0..<upstreams).map { Upstream(host: "a", port: $0 + 1) })])
        configuration.threads = 2
        return configuration
    }

    @Test("where there are enough, nothing is lowered")
    func enough() {
        var configuration = configuration()
        #expect(!DescriptorBudget(limit: 65_536).fit(&configuration))
        #expect(configuration.limits.connections == 10_000)
        #expect(configuration.limits.upstreamConnectionsPerLoop == 512)
    }

    @Test(
        "where there are not, clients, upstreams and the reserve all find room", arguments: [256, 1_024, 4_096, 12_000])
    func fits(_ limit: Int) {
        for upstreams in [1, 3] {
            var configuration = configuration(upstreams: upstreams)
            #expect(DescriptorBudget(limit: limit).fit(&configuration))
            let clients = configuration.limits.connections
            let pools = configuration.limits.upstreamConnectionsPerLoop * 2 * upstreams
            #expect(clients >= 1 && pools >= 1)
            #expect(clients + clients / 8 + pools + DescriptorBudget.reserve <= limit)
        }
    }
}
