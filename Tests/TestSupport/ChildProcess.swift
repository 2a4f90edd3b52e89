import Foundation
import Glibc
import Subprocess
import Synchronization
import SystemPackage

/// A program that runs beside the tests.
package final class ChildProcess: Sendable {
    /// The lines that a process has written so far.
    package final class Lines: Sendable {
        private let storage = Mutex<[String]>([])
        package var all: [String] { storage.withLock { $0 } }
        package var text: String { all.joined(separator: "\n") }
        func append(_ line: String) { storage.withLock { $0.append(line) } }
    }

    package let output = Lines()
    package let log = Lines()
    private let state = Mutex<(id: Int32, hasEnded: Bool)>((0, false))
    private let exit = Mutex<Task<Int32, any Error>?>(nil)

    /// 0 until the process runs.
    package var id: Int32 { state.withLock { $0.id } }
    package var hasEnded: Bool { state.withLock { $0.hasEnded } }

    /// Starts the program asynchronously. It gets the given environment, and `PATH`.
    package init(
        _ executable: String, _ arguments: [String], environment: [String: String] = [:], folder: String? = nil
    ) {
        let task = Task { [self] in
            defer { state.withLock { $0.hasEnded = true } }
            return try await run(executable, arguments, environment, folder)
        }
        exit.withLock { $0 = task }
    }

    /// Waits for the exit and returns the status. By then, all output has been read. The process is killed if it does
    /// not exit within five minutes, or if the test is cancelled: no test may wait forever.
    package func waitForExit() async throws -> Int32 {
        guard let task = exit.withLock({ $0 }) else { return 0 }
        let limit = Task {
            try await Task.sleep(for: .seconds(300))
            send(SIGKILL)
        }
        defer { limit.cancel() }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            send(SIGKILL)
        }
    }

    package func send(_ signal: Int32) {
        let id = id
        if id > 0, !hasEnded { kill(id, signal) }
    }

    /// Sends SIGTERM and returns the exit status.
    @discardableResult
    package func stop() async throws -> Int32 {
        send(SIGTERM)
        return try await waitForExit()
    }

    private func run(
        _ executable: String, _ arguments: [String], _ environment: [String: String], _ folder: String?
    ) async throws -> Int32 {
        var variables: [Subprocess.Environment.Key: String] = [:]
        for (name, value) in environment { variables[Subprocess.Environment.Key(stringLiteral: name)] = value }
        variables["PATH"] = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        let result = try await Subprocess.run(
            .path(FilePath(executable)), arguments: Arguments(arguments), environment: .custom(variables),
            workingDirectory: folder.map { FilePath($0) }, input: .none, output: .sequence, error: .sequence
        ) { [self] execution in
            state.withLock { $0.id = Int32(execution.processIdentifier.value) }
            await withTaskGroup(of: Void.self) { group in
                group.addTask { [self] in await Self.read(execution.standardOutput, into: output) }
                group.addTask { [self] in await Self.read(execution.standardError, into: log) }
            }
        }
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
}
