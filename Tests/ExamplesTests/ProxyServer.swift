import Foundation
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import TestSupport
import Testing

/// The kind of a proxy that has an example.
enum ProxyKind: String, CaseIterable, CustomTestStringConvertible {
    case nginx, caddy, traefik, envoy, haproxy

    var testDescription: String { rawValue }

    /// The command that runs the proxy in the folder of its example.
    fileprivate var command: (executable: String?, arguments: [String]) {
        switch self {
        case .nginx: (TestTool.installed("nginx"), ["-p", ".", "-e", "stderr", "-c", "nginx.conf"])
        case .haproxy: (TestTool.installed("haproxy"), ["-db", "-f", "haproxy.cfg"])
        case .caddy: (TestTool.required("caddy"), ["run", "--config", "Caddyfile", "--adapter", "caddyfile"])
        case .traefik: (TestTool.required("traefik"), ["--configFile=traefik.yml"])
        case .envoy:
            (
                TestTool.required("envoy"),
                ["-c", "envoy.yaml", "--concurrency", "1", "--disable-hot-restart", "-l", "warning"]
            )
        }
    }
}

/// A proxy that runs its example.
struct ProxyServer {
    let port: Int
    private let process: ChildProcess

    /// Runs `act` with a proxy that uses the example's files. Only the ports of the control listener, the API and the
    /// proxy are replaced.
    /// - Parameter check: the target of the check, in place of `/v1/forward-auth`.
    static func with(
        _ kind: ProxyKind, keyward: Int, api: Int, check: String = "/v1/forward-auth",
        _ act: (ProxyServer) async throws -> Void
    ) async throws {
        let server = try await started(kind, keyward: keyward, api: api, check: check)
        do {
            try await act(server)
        } catch {
            try await server.stop()
            throw error
        }
        try await server.stop()
    }

    func stop() async throws { try await process.stop() }

    static func started(
        _ kind: ProxyKind, keyward: Int, api: Int, check: String = "/v1/forward-auth"
    ) async throws -> ProxyServer {
        let (program, arguments) = kind.command
        guard let program else {
            throw TestSupportError("\(kind) is not installed: run scripts/test-tools")
        }
        // Another process may bind the port before the proxy does.
        for _ in 0..<5 {
            let port = try await freePort()
            let folder = try TestFolder.make(kind.rawValue)
            try copyExample(kind, to: folder, ports: [9090: keyward, 3000: api, 8000: port], check: check)
            let process = ChildProcess(program, arguments, environment: ["HOME": folder], folder: folder)
            let isUp = await eventually {
                if process.hasEnded { return true }
                return (try? await Exchange.send(.GET, "/", to: port).status) == 401
            }
            if isUp, !process.hasEnded { return ProxyServer(port: port, process: process) }
            process.send(SIGTERM)
            let text = process.log.text + process.output.text
            guard text.contains("in use") || text.contains("cannot bind") else {
                throw TestSupportError("\(kind) did not start: \(text.suffix(2000))")
            }
        }
        throw TestSupportError("\(kind) found no free port")
    }

    private static func freePort() async throws -> Int {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = channel.localAddress?.port ?? 0
        try await channel.close().get()
        return port
    }

    private static func copyExample(
        _ kind: ProxyKind, to folder: String, ports: [Int: Int], check: String
    ) throws {
        let example = TestTool.repository.appending(path: "examples/\(kind)")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for name in try FileManager.default.contentsOfDirectory(atPath: example.path) {
            let text = try String(contentsOf: example.appending(path: name), encoding: .utf8)
                .replacing(/\b(9090|3000|8000)\b/) { match in Int(match.1).flatMap { ports[$0] }.map(String.init) ?? ""
                }
                .replacing(/\/v1\/forward-auth\b/) { _ in check }
            try text.write(toFile: folder + "/" + name, atomically: true, encoding: .utf8)
        }
        if kind == .nginx {
            // The example is only a part of a configuration.
            let around = """
                daemon off; worker_processes 1; error_log stderr; pid nginx.pid; events {}
                http {
                    access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
                    uwsgi_temp_path uwsgi; scgi_temp_path scgi; include keyward.conf;
                }
                """
            try around.write(toFile: folder + "/nginx.conf", atomically: true, encoding: .utf8)
        }
    }
}
