import ArgumentParser

/// `keyward requests`.
struct RequestsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "requests", abstract: "Show requests through the control listener of a running instance.",
        subcommands: [RequestStatsCommand.self])
}
