import AsyncHTTPClient
import ControlBodies
import FoundationEssentials
import NIOCore
import NIOFoundationEssentialsCompat
import NIOHTTP1

/// The requests for import and export, whose bodies have no size limit.
extension ControlClient {
    private static let timeout = TimeAmount.hours(24)

    func importKeys(_ chunks: FileChunks, query: [(String, String)]) async throws -> Answer {
        try await listener.withClient(read: Self.timeout, isChange: true) { client in
            var request = request(.POST, Self.path + "/import" + Self.text(query))
            request.headers.add(name: "Content-Type", value: "application/x-ndjson")
            request.body = .stream(chunks, length: .unknown)
            let response = try await client.execute(request, timeout: Self.timeout)
            let body = Array(try await response.body.collect(upTo: Self.bodyLimit).readableBytesView)
            let isReport = [.ok, .unprocessableEntity, .conflict].contains(response.status)
            guard isReport, (try? JSONDecoder().decode(ImportReportJSON.self, from: Data(body))) != nil else {
                throw Self.refusal(response.status, body, requestID: response.headers.first(name: "X-Request-Id"))
            }
            return Answer(body: body)
        }
    }

    /// Passes the lines to `take` as they arrive.
    func exportKeys(query: [(String, String)], _ take: (ByteBuffer) throws -> Void) async throws {
        try await stream(Self.path + "/export" + Self.text(query), timeout: Self.timeout, take)
    }
}
