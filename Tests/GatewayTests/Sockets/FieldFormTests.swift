import AuthKeys
import Gateway
import TestSupport
import Testing

@Suite("Field forms at the gateway, as documented")
struct FieldFormTests {
    private static let everywhere = ["0.0.0.0/0", "::/0"]

    private func options() -> HarnessOptions {
        .with(\.trustedProxies, ["127.0.0.1", "10.0.0.0/8"].compactMap { IPNetwork($0) })
    }

    private func lines(_ cell: DocumentedTable.Cell) -> String { cell.code.map { $0 + "\r\n" }.joined() }

    @Test("credentials give the documented statuses and codes")
    func credentials() async throws {
        let upstream = try await RawUpstream()
        let rows = try DocumentedTable.rows(below: "Credentials")
        try await withGateway(before: upstream) { gateway async throws in
            let other = gateway.otherBearer().dropFirst("Authorization: Bearer ".count).dropLast(2)
            for row in rows {
                let fields = lines(row[0]).replacing("KEY", with: gateway.token.value).replacing("OTHER", with: other)
                let response = try await gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
                #expect(row[1].text.hasPrefix("\(response.status)"), "\(row[0].text): \(response.text)")
                for code in row[1].code { #expect(response.text.contains("\"code\":\"\(code)\""), "\(row[0].text)") }
            }
        }
    }

    @Test("the client's address is determined as documented")
    func address() async throws {
        let upstream = try await RawUpstream()
        let rows = try DocumentedTable.rows(below: "The client's address at the gateway")
        try await withGateway(before: upstream, options: options()) { gateway async throws in
            for row in rows {
                let isKnown = row[1].text != "unknown"
                let cidrs = isKnown ? [row[1].text] : Self.everywhere
                gateway.apply(.active, policy: try #require(KeyPolicy(cidrs: cidrs)))
                let response = try await gateway.exchange(gateway.get("/", lines(row[0])))
                #expect(response.status == (isKnown ? 200 : 403), "\(row[0].text): \(response.text)")
                gateway.apply(.active)
                _ = try await gateway.exchange(gateway.get("/", lines(row[0])))
                #expect(upstream.requests.last?["X-Forwarded-For"] == row[2].code, "\(row[0].text)")
            }
        }
    }

    @Test("without a trusted proxy, the client is the peer")
    func untrusted() async throws {
        let upstream = try await RawUpstream()
        let rows =
            try DocumentedTable.rows(below: "The client's address at the gateway")
            + DocumentedTable.rows(below: "Protocol and host at the gateway")
        try await withGateway(before: upstream, options: .with(\.trustedProxies, [])) { gateway async throws in
            gateway.apply(
                .active, policy: try #require(KeyPolicy(cidrs: ["127.0.0.1"])))
            for row in rows {
                #expect(try await gateway.exchange(gateway.get("/", lines(row[0]))).status == 200)
                let seen = try #require(upstream.requests.last)
                #expect(seen["X-Forwarded-For"] == ["127.0.0.1"] && seen["X-Forwarded-Proto"] == ["http"])
                #expect(seen["X-Forwarded-Host"] == ["api.test"])
                #expect(!seen.head.contains("203.0.113.7") || row[0].text.contains("X-Client-IP"))
            }
        }
    }

    @Test("protocol and host are forwarded as documented")
    func protocolAndHost() async throws {
        let upstream = try await RawUpstream()
        let rows = try DocumentedTable.rows(below: "Protocol and host at the gateway")
        try await withGateway(before: upstream, options: options()) { gateway async throws in
            for row in rows {
                #expect(try await gateway.exchange(gateway.get("/", lines(row[0]))).status == 200)
                for line in row[1].code {
                    let parts = line.split(separator: ": ", maxSplits: 1)
                    #expect(upstream.requests.last?[String(parts[0])] == [String(parts[1])], "\(row[0].text)")
                }
            }
        }
    }
}
