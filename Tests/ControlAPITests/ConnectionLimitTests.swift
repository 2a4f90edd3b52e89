import AuthKeys
import Foundation
import NIOCore
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Control connection limits", .timeLimit(.minutes(5)))
struct ConnectionLimitTests {
    private static let keys = "/admin/api/v1/auth-keys"

    private func limits(_ total: Int, perAddress: Int? = nil) -> ConnectionLimits {
        var limits = ConnectionLimits()
        limits.total = total
        limits.perAddress = perAddress ?? total
        limits.requestHead = .seconds(60)
        return limits
    }

    private func hold(_ count: Int, _ server: ControlServer, from source: String? = nil) throws -> [RawConnection] {
        try (0..<count).map { _ in try RawConnection(to: server.url, from: source) }
    }

    private func get(_ path: String, _ admin: String? = nil) -> String {
        let credential = admin.map { "Authorization: Bearer \($0)\r\n" } ?? ""
        return "GET \(path) HTTP/1.1\r\nHost: a\r\n\(credential)\r\n"
    }

    private func status(_ connection: RawConnection, _ request: String) async -> String? {
        guard connection.send(request) else { return nil }
        return await connection.read { $0.contains("\r\n\r\n") }.map { String($0.dropFirst(9).prefix(3)) }
    }

    @Test("an admin's connection replaces a stranger's at the limit, and is not replaced itself")
    func strangers() async throws {
        try await ControlServer.with(limits: limits(20)) { server in
            let strangers = try hold(20, server)
            #expect(await eventually { server.api.connections.count == 20 })
            let admin = try RawConnection(to: server.url)
            #expect(await status(admin, get(Self.keys, ControlServer.adminKey)) == "200")
            #expect(await eventually { strangers.count(where: \.isClosed) == 1 }, "one of them is replaced")
            let more = try hold(40, server)
            #expect(await eventually { (strangers + more).count(where: \.isClosed) == 41 })
            #expect(server.api.connections.count == 20)
            #expect(await status(admin, get(Self.keys, ControlServer.adminKey)) == "200")
            withExtendedLifetime(strangers) {}
        }
    }

    @Test("a verification from memory protects its connection; forward-auth does not")
    func direct() async throws {
        try await ControlServer.with(limits: limits(16)) { server in
            let verifying = try RawConnection(to: server.url)
            let question = #"{"key":"k"}"#
            let request =
                "POST /v1/verify HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(ControlServer.adminKey)\r\n"
                + "Content-Length: \(question.utf8.count)\r\n\r\n\(question)"
            #expect(await status(verifying, request) == "200")
            let proxy = try RawConnection(to: server.url)
            #expect(await status(proxy, get("/v1/forward-auth")) == "403")
            let strangers = try hold(15, server)
            #expect(await proxy.isClosedByPeer())
            #expect(await status(verifying, request) == "200")
            withExtendedLifetime(strangers) {}
        }
    }

    @Test("a new connection of an address at its limit replaces one of the same address")
    func perAddress() async throws {
        try await ControlServer.with(limits: limits(40, perAddress: 20)) { server in
            let quiet = try RawConnection(to: server.url)
            #expect(await eventually { server.api.connections.count == 1 })
            let strangers = try hold(60, server, from: "127.0.0.2")
            #expect(await eventually { strangers.count(where: \.isClosed) == 40 })
            #expect(server.api.connections.count == 21)
            #expect(await status(quiet, get("/healthz")) == "200")
        }
    }

    @Test("a new connection is refused if all others belong to admins")
    func full() async throws {
        try await ControlServer.with(limits: limits(16)) { server in
            let admins = try hold(16, server)
            for admin in admins { #expect(await status(admin, get(Self.keys, ControlServer.adminKey)) == "200") }
            #expect(try await RawConnection(to: server.url).isClosedByPeer())
            for admin in admins { #expect(await status(admin, get(Self.keys, ControlServer.adminKey)) == "200") }
        }
    }

    @Test("a revoked credential does not protect its connection")
    func revoked() async throws {
        try await ControlServer.with(limits: limits(16)) { server in
            let made = try await server.administration.keys.create(
                AdminKeyAttributes(name: "n", permissions: [.keysRead]), by: .test)
            let connection = try RawConnection(to: server.url)
            #expect(await status(connection, get(Self.keys, made.token.value)) == "200")
            try await server.administration.keys.deactivate(made.key.id.description, by: .test)
            #expect(await status(connection, get(Self.keys, made.token.value)) == "401")
            let strangers = try hold(16, server)
            #expect(await connection.isClosedByPeer())
            withExtendedLifetime(strangers) {}
        }
    }

    // MARK: - Timeouts

    @Test("a head that arrives byte by byte times out")
    func dribble() async throws {
        var limits = limits(16)
        limits.requestHead = .milliseconds(500)
        try await ControlServer.with(limits: limits) { server in
            let connection = try RawConnection(to: server.url)
            let silent = try RawConnection(to: server.url)
            connection.send("GET /healthz HTTP/1.1\r\nX: ")
            let isClosed = await eventually {
                connection.send("a")
                return connection.isClosed
            }
            #expect(isClosed)
            #expect(await silent.isClosedByPeer())
        }
    }

    @Test("the idle timeout applies between all requests", arguments: ["/v1/forward-auth", "/healthz"])
    func idle(_ path: String) async throws {
        var limits = limits(16)
        limits.requestHead = .milliseconds(300)
        try await ControlServer.with(limits: limits) { server in
            let connection = try RawConnection(to: server.url)
            #expect(await status(connection, get(path)) != nil)
            try await Task.sleep(for: .milliseconds(600))
            #expect(await status(connection, get(path)) != nil, "the timeout of a head does not apply here")
        }
        limits.idle = .milliseconds(300)
        try await ControlServer.with(limits: limits) { server in
            let connection = try RawConnection(to: server.url)
            connection.send(get(path))
            #expect(await connection.isClosedByPeer())
        }
    }

    @Test("a connection times out if the client does not read the response")
    func unread() async throws {
        var limits = limits(16)
        limits.idle = .milliseconds(500)
        try await ControlServer.with(limits: limits) { server in
            let connection = try RawConnection(to: server.url)
            connection.send(String(repeating: get("/openapi.json"), count: 200))
            #expect(await eventually { server.api.connections.count == 0 })
            withExtendedLifetime(connection) {}
        }
    }

    // MARK: - Cancellation

    @Test("a server ends without a trap if it is cancelled while connections arrive")
    func cancelled() async {
        await #expect(processExitsWith: .success) {
            for _ in 0..<8 {
                try await ControlServer.with { server in
                    for _ in 0..<4 {
                        Thread.detachNewThread {
                            while let connection = try? RawConnection(to: server.url) {
                                connection.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
                            }
                        }
                    }
                    try await Task.sleep(for: .milliseconds(50))
                }
            }
        }
    }
}

@Suite("Client network")
struct ClientNetworkTests {
    @Test("IPv6 addresses count by their /64, IPv4 addresses separately, in any notation")
    func networks() throws {
        func network(_ text: String) throws -> ClientNetwork {
            ClientNetwork(try SocketAddress(ipAddress: text, port: 1))
        }
        #expect(try network("2001:db8::1") == network("2001:db8::ffff:2"))
        #expect(try network("2001:db8::1") != network("2001:db8:0:1::1"))
        #expect(try network("192.0.2.1") != network("192.0.2.2"))
        #expect(try network("::ffff:192.0.2.1") == network("192.0.2.1"))
        #expect(try network("192.0.2.1") != ClientNetwork(nil))
    }
}
