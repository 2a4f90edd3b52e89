import ArgumentParser
import ControlBodies
import FoundationEssentials
import NIOHTTP1

/// `keyward status`.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show the version, start time, number of keys and their age of a running instance.",
        discussion: "The command needs no admin key. Exit status 1 while the instance cannot verify keys.")

    @OptionGroup var listener: ListenerOptions

    func run() async throws {
        try await Console.failing {
            let connection = try listener.connection()
            try await connection.identify()
            let response = try await connection.get("/readyz")
            let health = try HealthJSON(response)
            if listener.json {
                try listener.print(response.body)
            } else {
                try Console.out(health.lines(of: connection.base))
            }
            guard response.status == .ok else { throw ExitCode.failure }
        }
    }
}

extension HealthJSON {
    init(_ response: ListenerConnection.Response) throws {
        do {
            self = try JSONDecoder().decode(Self.self, from: Data(response.body))
        } catch {
            throw CommandError(
                .failure, "the control listener responded with \(response.status.code) and without its state")
        }
    }

    /// Returns the state as text, one line per field.
    func lines(of base: String) -> [String] {
        let fields: [(String, String?)] = [
            ("status", status + (reason.map { " (\($0))" } ?? "")), ("control listener", base), ("version", version),
            ("started", startedAt.map(TextTable.moment)), ("keys in memory", keys.map(String.init)),
            ("read from the database", indexAgeSeconds.map { "\($0) s ago" }),
        ]
        return TextTable.aligned(
            fields.compactMap { name, value in value.map { [name, TextTable.printable($0)] } })
    }
}
