import AsyncHTTPClient
import Foundation
import Glibc
import NIOCore
import NIOHTTP1
import Subprocess
import Synchronization
import SystemPackage
import TestSupport

/// A `keyward serve` of its own, as a user would run it.
final class KeywardProcess: Sendable {
    static let adminKey = "admin-key-of-these-tests-0123456789abcdef"

    let gateway: String
    let control: String
    let adminKey: String
    let processID: Int32
    private let output: Lines
    private let log: Lines
    private let exit: Task<Int32, any Error>

    /// Lines that a process wrote so far.
    final class Lines: Sendable {
        private let storage = Mutex<[String]>([])
        var all: [String] { storage.withLock { $0 } }
        func append(_ line: String) { storage.withLock { $0.append(line) } }
    }

    struct Failed: Error, CustomStringConvertible {
        let description: String
    }

    /// The built executable, beside the tests.
    static let executable: String = {
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(filePath: tests).deletingLastPathComponent().appending(path: "keyward").path
    }()

    /// Starts an instance and waits until it listens.
    /// - Parameter adminKey: one that the database holds; then the instance gets none of its own.
    static func start(
        database: String? = nil, listenDatabase: String? = nil, dataDirectory: String? = nil, upstream: String? = nil,
        adminKey: String? = nil, arguments: [String] = [], logLevel: String = "info"
    ) async throws -> KeywardProcess {
        var environment = ["KEYWARD_LOG_LEVEL": logLevel, "KEYWARD_LOG_FORMAT": "json"]
        environment["KEYWARD_DATABASE_URL"] = database
        environment["KEYWARD_LISTEN_DATABASE_URL"] = listenDatabase
        environment["KEYWARD_UPSTREAM_URL"] = upstream
        if database != nil, adminKey == nil { environment["KEYWARD_ADMIN_KEY"] = Self.adminKey }
        var all = ["serve", "--gateway", "127.0.0.1:0", "--control", "127.0.0.1:0"]
        if let dataDirectory { all += ["--data-dir", dataDirectory] }
        let (output, log) = (Lines(), Lines())
        let box = ProcessBox()
        let exit = Task { () throws -> Int32 in
            try await launch(all + arguments, environment, output: output, log: log) { box.set($0) }
        }
        let listening = await eventually(within: .seconds(60)) {
            output.all.contains { $0.hasPrefix("control listening on ") } || box.hasEnded
        }
        guard listening, let gateway = address("gateway", output), let control = address("control", output) else {
            exit.cancel()
            throw Failed(description: "did not start: \(log.all.suffix(5).joined(separator: "\n"))")
        }
        var key = adminKey ?? Self.adminKey
        if database == nil, let dataDirectory {
            key = try String(contentsOfFile: dataDirectory + "/admin-key", encoding: .utf8)
                .trimmingCharacters(in: .whitespacesAndNewlines)
        }
        return KeywardProcess(
            gateway: gateway, control: control, adminKey: key, processID: box.id, output: output, log: log, exit: exit)
    }

    private init(
        gateway: String, control: String, adminKey: String, processID: Int32, output: Lines, log: Lines,
        exit: Task<Int32, any Error>
    ) {
        self.gateway = gateway
        self.control = control
        self.adminKey = adminKey
        self.processID = processID
        self.output = output
        self.log = log
        self.exit = exit
    }

    /// All that it wrote on standard error so far.
    var logText: String { log.all.joined(separator: "\n") }
    /// All that it wrote on standard output so far.
    var outputText: String { output.all.joined(separator: "\n") }

    /// SIGTERM, and the exit status.
    func stop() async throws -> Int32 {
        kill(processID, SIGTERM)
        return try await exit.value
    }

    /// Waits until it has ended by itself, and returns its exit status. All that it wrote has been read then.
    func waitForExit() async throws -> Int32 {
        try await exit.value
    }

    func crash() async {
        kill(processID, SIGKILL)
        _ = try? await exit.value
    }

    // MARK: - Speaking to it

    struct Answer: Sendable {
        let status: Int
        let headers: HTTPHeaders
        let text: String

        var object: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any] ?? [:]
        }
        var code: String? { (object["error"] as? [String: Any])?["code"] as? String }
    }

    /// A request to the API behind the gateway.
    func call(_ key: String?, path: String = "/") async throws -> Answer {
        try await send(.GET, gateway + path, key: key)
    }

    func admin(_ method: HTTPMethod, _ path: String = "", body: String? = nil) async throws -> Answer {
        try await send(method, control + "/admin/api/v1/auth-keys" + path, key: adminKey, body: body)
    }

    func ready() async throws -> Answer {
        try await send(.GET, control + "/readyz", key: nil)
    }

    /// A new key: its id and its secret.
    func create(_ name: String = "key") async throws -> (id: String, value: String) {
        let answer = try await admin(.POST, body: #"{"name":"\#(name)"}"#)
        guard answer.status == 201, let id = answer.object["id"] as? String,
            let value = answer.object["value"] as? String
        else { throw Failed(description: "no key: \(answer.status) \(answer.text)") }
        return (id, value)
    }

    func send(_ method: HTTPMethod, _ url: String, key: String?, body: String? = nil) async throws -> Answer {
        var request = HTTPClientRequest(url: url)
        request.method = method
        if let key { request.headers.add(name: "Authorization", value: "Bearer \(key)") }
        if let body { request.body = .bytes(ByteBuffer(string: body)) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        let text = String(buffer: try await response.body.collect(upTo: 16 * 1024 * 1024))
        return Answer(status: Int(response.status.code), headers: response.headers, text: text)
    }

    // MARK: - Running it

    private static func address(_ listener: String, _ output: Lines) -> String? {
        output.all.lazy.compactMap { line in
            line.wholeMatch(of: /(gateway|control) listening on (http:.+)/).flatMap {
                $0.1 == listener ? String($0.2) : nil
            }
        }.first
    }

    private static func launch(
        _ arguments: [String], _ environment: [String: String], output: Lines, log: Lines,
        started: @escaping @Sendable (Int32?) -> Void
    ) async throws -> Int32 {
        var variables: [Subprocess.Environment.Key: String] = [:]
        for (name, value) in environment { variables[Subprocess.Environment.Key(stringLiteral: name)] = value }
        variables["PATH"] = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        let result = try await Subprocess.run(
            .path(FilePath(executable)), arguments: Arguments(arguments), environment: .custom(variables),
            input: .none, output: .sequence, error: .sequence
        ) { execution in
            started(Int32(execution.processIdentifier.value))
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await read(execution.standardOutput, into: output) }
                group.addTask { await read(execution.standardError, into: log) }
            }
        }
        started(nil)
        switch result.terminationStatus {
        case .exited(let code): return Int32(code)
        case .signaled(let signal): return 128 + Int32(signal)
        }
    }

    private static func read(_ sequence: SubprocessOutputSequence, into lines: Lines) async {
        do {
            for try await line in sequence.strings() { lines.append(line) }
        } catch {
            lines.append("(\(error))")
        }
    }

    /// Runs `keyward` to its end, or until a text is logged: then it gets a SIGTERM.
    static func run(
        _ arguments: [String], environment: [String: String] = [:], terminatedAfter text: String? = nil
    ) async throws -> (status: Int32, output: String, error: String) {
        let (output, log, box) = (Lines(), Lines(), ProcessBox())
        let watcher = Task {
            guard let text else { return }
            let seen = await eventually(within: .seconds(30)) { log.all.contains { $0.contains(text) } }
            if seen { kill(box.id, SIGTERM) }
        }
        let status = try await launch(arguments, environment, output: output, log: log) { box.set($0) }
        watcher.cancel()
        return (status, output.all.joined(separator: "\n"), log.all.joined(separator: "\n"))
    }
}

/// The id of a process that is being started, and whether it has ended.
private final class ProcessBox: Sendable {
    private let state = Mutex<(id: Int32, ended: Bool)>((0, false))

    var id: Int32 { state.withLock { $0.id } }
    var hasEnded: Bool { state.withLock { $0.ended } }

    func set(_ id: Int32?) {
        state.withLock { state in
            if let id { state.id = id } else { state.ended = true }
        }
    }
}
