import ControlBodies
import FoundationEssentials

/// Prints requests as they arrive, and reconnects if the connection breaks.
struct RequestFollower {
    private static let pause = Duration.seconds(2)
    /// The number of identifiers that are remembered, because the server repeats some lines after a reconnection.
    private static let memory = 4_000

    private let client: ClientOptions
    private let query: [(String, String)]
    private var position: String?
    private var printed: Set<String> = []
    /// The printed identifiers, the oldest first.
    private var order: [String] = []

    init(client: ClientOptions, query: [(String, String)]) {
        self.client = client
        self.query = query
    }

    /// Throws if the first connection fails, or if the server refuses the request.
    mutating func run() async throws {
        var connection = try await client.connect()
        var wasConnected = false
        while true {
            do {
                try await connection.tailRequests(query: query, after: position) { event in
                    wasConnected = true
                    try show(event)
                }
            } catch let error as CommandError where wasConnected && error.status == .unreachable {
                Console.error("keyward: \(error): reconnecting")
            }
            try await Task.sleep(for: Self.pause)
            do {
                // The admin key is sent to a control listener only.
                connection = try await client.connect()
            } catch let error as CommandError where wasConnected && error.status == .unreachable {}
        }
    }

    private mutating func show(_ event: ServerEvent) throws {
        position = event.id ?? position
        if event.type == "skipped" {
            let count = (try? JSONDecoder().decode([String: Int].self, from: Data(event.data)))?["skipped"]
            Console.error("keyward: \(count ?? 0) requests are not shown because there are too many: use filters")
            return
        }
        guard event.type == nil, !event.data.isEmpty else { return }
        let line = try ControlClient.decode(RequestJSON.self, ControlClient.Answer(body: event.data))
        // The questions of a batch share their id.
        guard remember(line.at + line.requestID) else { return }
        try Console.out(client.json ? String(decoding: event.data, as: UTF8.self) : RequestTable.line(line))
    }

    /// Returns false if the request was printed before.
    private mutating func remember(_ id: String) -> Bool {
        guard printed.insert(id).inserted else { return false }
        order.append(id)
        if order.count >= 2 * Self.memory {
            printed.subtract(order.prefix(Self.memory))
            order.removeFirst(Self.memory)
        }
        return true
    }
}
