import Foundation
import NIOHTTP1
import Testing

@testable import ControlAPI

extension ControlServer {
    /// Calls an operation of Unkey's API.
    func unkey(
        _ operation: String, _ body: [String: Any], admin: String? = adminKey, headers: [(String, String)] = []
    ) async throws -> Answer {
        let text = String(decoding: try JSONSerialization.data(withJSONObject: body), as: UTF8.self)
        return try await send(.POST, "/v2/\(operation)", body: text, admin: admin, headers: headers)
    }

    /// Creates a key by `keys.createKey`.
    func unkeyKey(_ members: [String: Any] = [:]) async throws -> (id: String, token: String) {
        let answer = try await unkey("keys.createKey", members.merging(["apiId": "api_1"]) { given, _ in given })
        let data = answer.data
        return (
            try #require(data["keyId"] as? String, "\(answer.text)"),
            try #require(data["key"] as? String, "\(answer.text)")
        )
    }

    func adminKey(_ members: String) async throws -> String {
        let answer = try await send(.POST, "/admin/api/v1/admin-keys", body: "{\"name\":\"n\",\(members)}")
        return try #require(answer.object["value"] as? String, "\(answer.text)")
    }
}

extension ControlServer.Answer {
    var data: [String: Any] { object["data"] as? [String: Any] ?? [:] }
    var list: [[String: Any]] { object["data"] as? [[String: Any]] ?? [] }
    /// The locations that an error names.
    var locations: [String] {
        (error["errors"] as? [[String: Any]] ?? []).compactMap { $0["location"] as? String }
    }
}
