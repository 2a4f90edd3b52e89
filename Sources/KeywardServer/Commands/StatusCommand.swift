import ArgumentParser
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
            let readiness = try Readiness(response)
            if listener.json {
                try listener.print(response.body)
            } else {
                try Console.out(readiness.lines(of: connection.base))
            }
            guard response.status == .ok else { throw ExitCode.failure }
        }
    }
}

/// The state of an instance, as in the response of `/readyz`, or of `/healthz`, which has fewer members.
struct Readiness: Decodable {
    let status: String
    let reason: String?
    let indexAgeSeconds: Double?
    let keys: Int?
    let version: String?
    let startedAt: String?

    enum CodingKeys: String, CodingKey {
        case status, reason, keys, version
        case indexAgeSeconds = "index_age_seconds"
        case startedAt = "started_at"
    }

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
