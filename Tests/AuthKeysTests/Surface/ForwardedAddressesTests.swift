import TestSupport
import Testing

@testable import AuthKeys
@testable import HTTPCredentials

@Suite("Forwarded addresses")
struct ForwardedAddressesTests {
    private let peer = IPAddress("10.0.0.1")
    private let proxies = ["10.0.0.0/8"].compactMap { IPNetwork($0) }

    private func client(_ values: String...) -> String? {
        ForwardedAddresses(values.map(\.utf8), from: peer).client(before: proxies)?.description
    }

    private func client(_ value: String) -> String? {
        ForwardedAddresses([value.utf8], from: peer).client(before: proxies)?.description
    }

    @Test("the client is the nearest address that is not a trusted proxy's")
    func nearest() {
        #expect(client("192.0.2.1") == "192.0.2.1")
        #expect(client("192.0.2.1, 198.51.100.1") == "198.51.100.1")
        #expect(client("192.0.2.1, 198.51.100.1 ,\t10.2.2.2") == "198.51.100.1")
        #expect(client("junk, 198.51.100.1, 10.2.2.2") == "198.51.100.1")
        #expect(client("10.3.3.3, 10.2.2.2") == "10.3.3.3")
        #expect(
            ForwardedAddresses(["192.0.2.1", "198.51.100.1"].map(\.utf8), from: peer).client(before: proxies)?
                .description == "198.51.100.1")
    }

    @Test(
        "the client is unknown behind an invalid address",
        arguments: ["junk", "junk, 10.2.2.2", "", ", 10.2.2.2"])
    func unknown(_ value: String) {
        #expect(client(value) == nil)
    }

    @Test("no address is known without that of the peer")
    func peerless() {
        #expect(ForwardedAddresses(["192.0.2.1".utf8], from: nil).client(before: proxies) == nil)
    }

    @Test("a client beyond the limit of addresses is unknown")
    func limit() {
        let trusted = Array(repeating: "10.2.2.2", count: ForwardedAddresses.limit - 2).joined(separator: ",")
        #expect(client("192.0.2.1," + trusted) == "192.0.2.1")
        #expect(client("192.0.2.1,10.2.2.2," + trusted) == nil)
        let read = ForwardedAddresses([("192.0.2.1,10.2.2.2," + trusted).utf8], from: peer)
        #expect(read.nearestFirst.count == ForwardedAddresses.limit)
    }

    @Test("an address may have a port, and IPv6 brackets")
    func forms() {
        for (text, address) in [
            ("192.0.2.1:80", "192.0.2.1"), ("[2001:db8::1]", "2001:db8::1"), ("[2001:db8::1]:443", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"), (" 192.0.2.1\t", "192.0.2.1"), ("[192.0.2.1]:80", "192.0.2.1"),
            ("192.0.2.1:", "192.0.2.1"),
        ] {
            #expect(ClientAddress.parse(text.utf8)?.description == address, "\(text)")
        }
        for text in [
            "", "192.0.2.1:x", "[2001:db8::1", "[2001:db8::1]x", "1 92.0.2.1", "192.0.2.1:80:90", "unknown", "_a",
        ] {
            #expect(ClientAddress.parse(text.utf8) == nil, "\(text)")
        }
    }

    @Test("a long field is read in bounded time")
    func cost() {
        for unit in ["\u{301}", ",", "::,", "192.0.2.1,", " ", "a"] {
            let value = String(repeating: unit, count: 64_000 / unit.utf8.count)
            let time = CPUTime.least { _ = client(value) }
            #expect(time < .milliseconds(40), "\(unit): \(time)")
        }
    }
}
