import AuthKeys
import Testing

@Suite("IP networks")
struct IPNetworkTests {
    @Test(
        "a block contains the addresses with its prefix",
        arguments: [
            ("10.0.0.0/8", "10.255.1.2", true), ("10.0.0.0/8", "11.0.0.1", false), ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false), ("0.0.0.0/0", "203.0.113.9", true), ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true), ("::/0", "203.0.113.9", false), ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false), ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("192.168.1.128/25", "192.168.1.127", false), ("192.168.1.128/25", "192.168.1.129", true),
        ])
    func contains(_ network: String, _ address: String, _ isInside: Bool) throws {
        let address = try #require(IPAddress(address))
        #expect(try #require(IPNetwork(network)).contains(address) == isInside)
    }

    @Test(
        "an invalid block, or one with bits beyond its length, is refused",
        arguments: [
            "", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/+8", "10.0.0.0/", "/8", "10.0.0.1/8", "10.0.0/8",
            "010.0.0.1", "1.2.3.4.5", "::/129", "2001:db8::1/32", "fe80::1%eth0", "::ffff:10.0.0.0/104", "example.com",
            "10.0.0.0/8 ",
            "1.2.3.4\u{0}",
        ])
    func invalid(_ text: String) {
        #expect(IPNetwork(text) == nil)
    }

    @Test("an address is written in its canonical form")
    func description() {
        #expect(IPAddress("2001:0DB8:0:0:0:0:0:1").map(\.description) == "2001:db8::1")
        #expect(IPAddress("::ffff:192.0.2.1").map(\.description) == "192.0.2.1")
        #expect(IPNetwork("10.0.0.0/8").map(\.description) == "10.0.0.0/8")
    }
}
