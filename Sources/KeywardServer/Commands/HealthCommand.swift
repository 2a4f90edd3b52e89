import ArgumentParser
import ControlBodies
import FoundationEssentials
import NIOCore
import NIOHTTP1

/// `keyward health`, which prints one line for probes.
struct HealthCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health",
        abstract: "Check a running instance, for probes: exit status 0 while it verifies keys, 1 otherwise.",
        discussion: "The command needs no admin key. A degraded instance verifies keys and counts as healthy.")

    @Flag(help: "Check only that the process responds, not that it can verify keys.")
    var live = false

    @Option(
        help: "Timeout for the response, such as 500ms. Default: 3s.", transform: GivenDuration.positive)
    var timeout = Duration.seconds(3)

    @OptionGroup var listener: ListenerOptions

    func run() async throws {
        do {
            let (connection, limit) = (try listener.connection(), TimeAmount(timeout))
            try await connection.identify(within: limit)
            let response = try await connection.get(live ? "/healthz" : "/readyz", within: limit)
            let health = try HealthJSON(response)
            if listener.json { try listener.print(response.body) } else { try Console.out(health.status) }
            guard response.status == .ok else { throw ExitCode.failure }
        } catch let exit as ExitCode {
            throw exit
        } catch {
            // Probes expect 0 or 1 only.
            _ = Console.report(error)
            throw ExitCode.failure
        }
    }
}
