import Subprocess
import SystemPackage

/// Runs PostgreSQL's programs as the server's account.
struct Tool: Sendable {
    let account: ServerAccount

    /// Nothing of this process's own environment, which may hold secrets, reaches PostgreSQL.
    private static let environment = Environment.custom(["PATH": "/usr/bin:/bin", "LC_ALL": "C"])

    /// What a program wrote and how it ended.
    struct Outcome {
        let isSuccess: Bool
        let output: String

        /// The last lines it wrote.
        var lastLines: [String] { ServerLog.lastLines(of: output) }
    }

    /// Runs a program to its end. It is ended, with all it started, when the task is cancelled.
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

    /// Launches the server with its words going to `log`, which is closed here. Returns its process at once; `watch`
    /// learns how it ends.
    func launch(
        _ path: String,
        _ arguments: [String],
        log: Int32,
        watch: ExitWatch
    ) async throws -> Int32 {
        let (executable, arguments) = command(path, arguments)
        return try await withCheckedThrowingContinuation { launched in
            // Not a child of the calling task: the server outlives it, and a cancelled start ends it in order.
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

    /// A session of its own keeps the terminal's Ctrl-C away: the server is stopped in order, after its clients.
    private static var session: PlatformOptions {
        var options = PlatformOptions()
        options.createSession = true
        return options
    }

    /// The program, behind `setpriv` where the account has to be switched, which keeps the process and leaves it none of
    /// root's groups and capabilities.
    ///
    /// Not by Subprocess's `userID`: it calls glibc's `setgroups` and `setuid` in a forked child of a process with many
    /// threads, where they can wait for ever for a thread that the child does not have (seen with 1.0.2, in
    /// `setxid_mark_thread`; swift-subprocess issue 374 is of the same kind). Without it `posix_spawn` is used.
    private func command(_ path: String, _ arguments: [String]) -> (Executable, Arguments) {
        guard account.isSwitched else { return (.path(FilePath(path)), Arguments(arguments)) }
        let switching = ["--reuid=\(account.user)", "--regid=\(account.group)", "--clear-groups", path]
        return (.name("setpriv"), Arguments(switching + arguments))
    }
}
