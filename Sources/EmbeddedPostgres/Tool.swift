import Subprocess
import SystemPackage

/// A runner of PostgreSQL's programs under the server's account.
struct Tool: Sendable {
    let account: ServerAccount

    /// The environment of the programs. It contains nothing of this process's environment, which may contain secrets.
    private static let environment = Environment.custom(["PATH": "/usr/bin:/bin", "LC_ALL": "C"])

    /// The output of a program and its result.
    struct Outcome {
        let isSuccess: Bool
        let output: String

        /// The last lines of the output.
        var lastLines: [String] { ServerLog.lastLines(of: output) }
    }

    /// Runs a program until it exits. If the task is cancelled, the program is terminated with all its descendants.
    func run(_ path: String, _ arguments: [String], input: String = "") async throws -> Outcome {
        var options = Self.session
        options.teardownSequence = [
            .send(signal: .terminate, toProcessGroup: true, allowedDurationToNextStep: .seconds(2))
        ]
        let (executable, arguments) = command(path, arguments)
        let result = try await Subprocess.run(
            executable,
            arguments: arguments,
            environment: Self.environment,
            workingDirectory: "/",
            platformOptions: options,
            input: .string(input),
            output: .string(limit: 1 << 20),
            error: .combinedWithOutput
        )
        return Outcome(isSuccess: result.terminationStatus.isSuccess, output: result.standardOutput)
    }

    /// Launches the server with its output in `log`, which is closed here. Returns its process id at once; `watch`
    /// receives the exit.
    func launch(
        _ path: String,
        _ arguments: [String],
        log: Int32,
        watch: ExitWatch
    ) async throws -> Int32 {
        let (executable, arguments) = command(path, arguments)
        return try await withCheckedThrowingContinuation { launched in
            // Not a child of the calling task: the server outlives the task, and a cancelled start stops the server
            // gracefully.
            Task.detached {
                var isLaunched = false
                do {
                    let result = try await Subprocess.run(
                        executable,
                        arguments: arguments,
                        environment: Self.environment,
                        workingDirectory: "/",
                        platformOptions: Self.session,
                        input: .none,
                        output: .fileDescriptor(FileDescriptor(rawValue: log), closeAfterSpawningProcess: true),
                        error: .combinedWithOutput
                    ) { execution in
                        isLaunched = true
                        launched.resume(returning: execution.processIdentifier.value)
                    }
                    switch result.terminationStatus {
                    case .exited(let code): watch.report(.exited(code: code))
                    case .signaled(let signal): watch.report(.signaled(signal: signal))
                    }
                } catch {
                    watch.report(.unknown)
                    if !isLaunched { launched.resume(throwing: error) }
                }
            }
        }
    }

    /// The process options with a separate session. The terminal's Ctrl-C does not reach the server, which is stopped
    /// gracefully after its clients.
    private static var session: PlatformOptions {
        var options = PlatformOptions()
        options.createSession = true
        return options
    }

    /// Returns the program, run through `setpriv` if the account has to be switched. `setpriv` keeps the process id and
    /// removes root's groups and capabilities.
    ///
    /// Subprocess's `userID` is not used: it calls glibc's `setgroups` and `setuid` in a forked child of a
    /// multithreaded process. There they can wait forever for a thread that the child does not have (seen with 1.0.2,
    /// in `setxid_mark_thread`; swift-subprocess issue 374 is similar). Without it, `posix_spawn` is used.
    private func command(_ path: String, _ arguments: [String]) -> (Executable, Arguments) {
        guard account.isSwitched else { return (.path(FilePath(path)), Arguments(arguments)) }
        let switching = ["--reuid=\(account.user)", "--regid=\(account.group)", "--clear-groups", path]
        return (.name("setpriv"), Arguments(switching + arguments))
    }
}
