import AsyncHTTPClient
import Foundation
import Glibc
import NIOCore
package import NIOHTTP1

/// A separate `keyward serve`, as a user would run it.
package final class KeywardProcess: Sendable {
    package static let adminKey = "admin-key-of-these-tests-0123456789abcdef"

    package let gateway: String
    package let control: String
    package let adminKey: String
    private let process: ChildProcess

    /// The built executable, in the directory of the tests.
    package static let executable: String = {
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(filePath: tests).deletingLastPathComponent().appending(path: "keyward").path
    }()

    /// Starts an instance and waits until it listens.
    /// - Parameters:
    ///   - adminKey: one that the database has; then the instance is started without a bootstrap key.
    ///   - descriptors: the maximum number of file descriptors; nil for the limit of the tests.
    ///   - unreadLog: the path for a named pipe that becomes its standard error and is never read.
    package static func start(
        database: String? = nil, listenDatabase: String? = nil, dataDirectory: String? = nil, upstream: String? = nil,
        adminKey: String? = nil, arguments: [String] = [], environment more: [String: String] = [:],
        logLevel: String = "info", descriptors: Int? = nil, unreadLog: String? = nil
    ) async throws -> KeywardProcess {
        var environment = more.merging(["KEYWARD_LOG_LEVEL": logLevel, "KEYWARD_LOG_FORMAT": "json"]) { $1 }
        environment["KEYWARD_DATABASE_URL"] = database
        environment["KEYWARD_LISTEN_DATABASE_URL"] = listenDatabase
        environment["KEYWARD_UPSTREAM_URL"] = upstream
        if database != nil, adminKey == nil { environment["KEYWARD_ADMIN_KEY"] = Self.adminKey }
        var all = ["serve", "--gateway", "127.0.0.1:0", "--control", "127.0.0.1:0"]
        if let dataDirectory { all += ["--data-dir", dataDirectory] }
        let limit = descriptors.map { "ulimit -n \($0) && " } ?? ""
        let (pipe, log) = unreadLog.map { ("mkfifo '\($0)' && ", " 2<>'\($0)'") } ?? ("", "")
        let process = ChildProcess(
            "/bin/sh", ["-c", limit + pipe + "exec \"$0\" \"$@\"" + log, executable] + all + arguments,
            environment: environment)
        let listening = await eventually {
            address("control", process) != nil || process.hasEnded
        }
        guard listening, let gateway = address("gateway", process), let control = address("control", process) else {
            process.send(SIGTERM)
            throw TestSupportError("did not start: \(process.log.all.suffix(5).joined(separator: "\n"))")
        }
        var key = adminKey ?? Self.adminKey
        if database == nil, let dataDirectory {
            key = try String(contentsOfFile: dataDirectory + "/admin-key", encoding: .utf8)
                .trimmingCharacters(in: .whitespacesAndNewlines)
        }
        return KeywardProcess(gateway: gateway, control: control, adminKey: key, process: process)
    }

    private init(gateway: String, control: String, adminKey: String, process: ChildProcess) {
        self.gateway = gateway
        self.control = control
        self.adminKey = adminKey
        self.process = process
    }

    package var processID: Int32 { process.id }
    /// The standard error so far.
    package var logText: String { process.log.text }
    /// The standard output so far.
    package var outputText: String { process.output.text }

    /// Sends SIGTERM and returns the exit status.
    package func stop() async throws -> Int32 { try await process.stop() }

    /// Waits for the exit and returns the status. By then, all output has been read.
    package func waitForExit() async throws -> Int32 { try await process.waitForExit() }

    package func crash() async {
        process.send(SIGKILL)
        _ = try? await process.waitForExit()
    }

    // MARK: - Requests

    package struct Answer: Sendable {
        package let status: Int
        package let headers: HTTPHeaders
        package let text: String

        package init(status: Int, headers: HTTPHeaders, text: String) {
            self.status = status
            self.headers = headers
            self.text = text
        }

        package var object: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any] ?? [:]
        }
        package var code: String? { (object["error"] as? [String: Any])?["code"] as? String }
    }

    /// Sends a request to the API behind the gateway.
    package func call(_ key: String?, path: String = "/") async throws -> Answer {
        try await send(.GET, gateway + path, key: key)
    }

    package func admin(_ method: HTTPMethod, _ path: String = "", body: String? = nil) async throws -> Answer {
        try await send(method, control + "/admin/api/v1/auth-keys" + path, key: adminKey, body: body)
    }

    /// The number of its open descriptors.
    package var openDescriptors: Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process.id)/fd").count) ?? 0
    }

    package func ready() async throws -> Answer {
        try await send(.GET, control + "/readyz", key: nil)
    }

    /// Creates a key, and returns its id and secret.
    /// - Parameter members: more members of the request, each with a leading comma.
    package func create(_ name: String = "key", _ members: String = "") async throws -> (id: String, value: String) {
        let answer = try await admin(.POST, body: #"{"name":"\#(name)"\#(members)}"#)
        guard answer.status == 201, let id = answer.object["id"] as? String,
            let value = answer.object["value"] as? String
        else { throw TestSupportError("no key: \(answer.status) \(answer.text)") }
        return (id, value)
    }

    /// Returns the value of a metric; nil if there is none.
    /// - Parameter name: the name with its labels, as `/metrics` has it.
    package func metric(_ name: String) async throws -> Double? {
        let text = try await send(.GET, control + "/metrics", key: nil).text
        return text.split(separator: "\n").first { $0.hasPrefix(name + " ") }.flatMap {
            Double($0.dropFirst(name.count + 1))
        }
    }

    package func send(
        _ method: HTTPMethod, _ url: String, key: String?, fields: [(String, String)] = [], body: String? = nil
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: url)
        request.method = method
        request.headers = HTTPHeaders(fields)
        if let key { request.headers.add(name: "Authorization", value: "Bearer \(key)") }
        if let body { request.body = .bytes(ByteBuffer(string: body)) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        let text = String(buffer: try await response.body.collect(upTo: 16 * 1024 * 1024))
        return Answer(status: Int(response.status.code), headers: response.headers, text: text)
    }

    // MARK: - Process

    private static func address(_ listener: String, _ process: ChildProcess) -> String? {
        process.output.all.lazy.compactMap { line in
            line.wholeMatch(of: /(gateway|control) listening on (http:.+)/).flatMap {
                $0.1 == listener ? String($0.2) : nil
            }
        }.first
    }

    /// Runs `keyward` until it exits, or sends SIGTERM once a text is logged, at the latest after two minutes.
    package static func run(
        _ arguments: [String], environment: [String: String] = [:], terminatedAfter text: String? = nil
    ) async throws -> (status: Int32, output: String, error: String) {
        let process = ChildProcess(executable, arguments, environment: environment)
        let watcher = Task {
            guard let text else { return }
            _ = await eventually(within: .seconds(120)) { process.log.all.contains { $0.contains(text) } }
            process.send(SIGTERM)
        }
        let status = try await process.waitForExit()
        watcher.cancel()
        return (status, process.output.text, process.log.text)
    }
}
