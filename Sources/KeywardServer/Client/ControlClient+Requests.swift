import AsyncHTTPClient
import AuthKeys
import ControlAPI
import FoundationEssentials
import NIOCore
import NIOHTTP1

/// The requests for the request log.
extension ControlClient {
    private static let requests = "/admin/api/v1/requests"

    func requestList(query: [(String, String)]) async throws -> Answer {
        try await send(.GET, Self.requests + Self.text(query))
    }

    func loggedRequest(_ id: String) async throws -> Answer {
        try await send(.GET, "\(Self.requests)/\(PercentEncoding.encode(id))")
    }

    func exportRequests(query: [(String, String)], _ take: (ByteBuffer) throws -> Void) async throws {
        try await stream(Self.requests + "/export" + Self.text(query), timeout: .hours(24), take)
    }

    /// Passes the events of a tail to `take` until the server ends the response.
    /// - Parameter position: the id of the last event that was received before; nil for none.
    func tailRequests(
        query: [(String, String)], after position: String?, _ take: (ServerEvent) throws -> Void
    ) async throws {
        // The server sends at least a comment every ten seconds.
        try await listener.withClient(read: .seconds(30)) { client in
            var request = request(.GET, Self.requests + "/tail" + Self.text(query))
            if let position { request.headers.add(name: "Last-Event-ID", value: position) }
            let response = try await client.execute(request, timeout: .hours(24 * 365))
            guard response.status == .ok else {
                let body = try await response.body.collect(upTo: Self.bodyLimit)
                throw Self.refusal(response.status, Array(body.readableBytesView))
            }
            var parser = ServerEventParser()
            for try await chunk in response.body {
                for event in parser.read(chunk.readableBytesView) { try take(event) }
            }
        }
    }
}

/// A server-sent event.
struct ServerEvent: Equatable {
    /// The last id that the server sent.
    var id: String?
    /// Nil for an event without a type.
    var type: String?
    /// Empty for an event that only has an id.
    var data: [UInt8] = []
}

/// Parses server-sent events with line feeds (HTML Standard section 9.2.6), in chunks of any size.
struct ServerEventParser {
    private var line: [UInt8] = []
    private var event = ServerEvent()

    /// Returns the events that end in the chunk.
    mutating func read(_ chunk: some Sequence<UInt8>) -> [ServerEvent] {
        var events: [ServerEvent] = []
        for byte in chunk {
            guard byte == UInt8(ascii: "\n") else {
                line.append(byte)
                continue
            }
            if line.isEmpty {
                events.append(event)
                event = ServerEvent(id: event.id)
            } else {
                readField()
            }
            line.removeAll(keepingCapacity: true)
        }
        return events
    }

    private mutating func readField() {
        let name = line.prefix { $0 != UInt8(ascii: ":") }
        var value = line.dropFirst(name.count + 1)
        if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
        switch String(decoding: name, as: UTF8.self) {
        case "id": event.id = String(decoding: value, as: UTF8.self)
        case "event": event.type = String(decoding: value, as: UTF8.self)
        case "data": event.data += value
        default: break
        }
    }
}
