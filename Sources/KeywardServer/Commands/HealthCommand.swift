import ArgumentParser
import FoundationEssentials
import NIOCore
import NIOHTTP1

/// `keyward health`: one line and an exit status, for probes.
struct HealthCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health",
        abstract: "Check a running Keyward, for probes: exit status 0 while it verifies keys, else 1.",
        discussion: "It needs no admin key. An instance that is degraded verifies keys, and is healthy.")

    @Flag(help: "Check that the process answers, not that it can verify keys.")
    var live = false

    @Option(
        help: "How long to wait for the response, such as 500ms. Default: 3s.", transform: GivenDuration.positive)
    var timeout = Duration.seconds(3)

    @OptionGroup var listener: ListenerOptions

    func run() async throws {
        do {
            let (connection, limit) = (try listener.connection(), TimeAmount(timeout))
            try await connection.identify(within: limit)
            let response = try await connection.get(live ? "/healthz" : "/readyz", within: limit)
            let health = try Readiness(response)
            if listener.json { try listener.print(response.body) } else { try Console.out(health.status) }
            guard response.status == .ok else { throw ExitCode.failure }
        } catch let exit as ExitCode {
            throw exit
        } catch {
            // Probes know 0 and 1 alone.
            _ = Console.report(error)
            throw ExitCode.failure
        }
    }
}
