import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOFoundationEssentialsCompat
import NIOHTTP1

/// Import and export: bodies that are as long as they are.
extension ControlClient {
    /// What became of an import.
    struct ImportReport: Codable {
        struct Problem: Codable {
            let line: Int
            let param: String?
            let message: String
        }

        let imported: Int
        let failed: Int
        let dryRun: Bool
        let errors: [Problem]
        let errorsTruncated: Bool

        enum CodingKeys: String, CodingKey {
            case imported, failed, errors
            case dryRun = "dry_run"
            case errorsTruncated = "errors_truncated"
        }
    }

    private static let patience = TimeAmount.hours(24)

    func importKeys(_ pieces: FilePieces, query: [(String, String)]) async throws -> Answer {
        try await listener.withClient(read: Self.patience, isChange: true) { client in
            var request = request(.POST, Self.path + "/import" + Self.text(query))
            request.headers.add(name: "Content-Type", value: "application/x-ndjson")
            request.body = .stream(pieces, length: .unknown)
            let response = try await client.execute(request, timeout: Self.patience)
            let body = Array(try await response.body.collect(upTo: Self.bodyLimit).readableBytesView)
            let isReport = [.ok, .unprocessableEntity, .conflict].contains(response.status)
            guard isReport, (try? JSONDecoder().decode(ImportReport.self, from: Data(body))) != nil else {
                throw Self.refusal(response.status, body, requestID: response.headers.first(name: "X-Request-Id"))
            }
            return Answer(body: body)
        }
    }

    /// Hands over the lines as they come.
    func exportKeys(query: [(String, String)], _ take: (ByteBuffer) throws -> Void) async throws {
        try await stream(Self.path + "/export" + Self.text(query), patience: Self.patience, take)
    }
}
