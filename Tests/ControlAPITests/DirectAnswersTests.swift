import AuthKeys
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Direct responses")
struct DirectAnswersTests {
    /// Returns the responses of a server on one connection, up to a number of them.
    private func talk(_ text: String, answers: Int, to server: ControlServer) async throws -> [String] {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: server.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: text))
            var said = ""
            for try await part in inbound {
                said += String(buffer: part)
                let whole = said.components(separatedBy: "HTTP/1.1 ").dropFirst().filter(isWhole)
                if whole.count == answers { break }
            }
            return said.components(separatedBy: "HTTP/1.1 ").dropFirst().map { $0 }
        }
    }

    private func isWhole(_ answer: String) -> Bool {
        let parts = answer.components(separatedBy: "\r\n\r\n")
        let length = parts[0].lowercased().firstMatch(of: /content-length: (\d+)/).flatMap { Int($0.1) }
        return parts.count == 2 && parts[1].utf8.count == length
    }

    private func post(_ path: String, _ body: String, _ more: String = "", admin: String = ControlServer.adminKey)
        -> String
    {
        """
        POST \(path) HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(admin)\r\n\(more)Content-Length: \(body.utf8.count)\r\n\r\n\(body)
        """
    }

    private func key(_ server: ControlServer, _ members: String = "") async throws -> String {
        try #require(try await server.create("{\"name\":\"n\"\(members)}").object["value"] as? String)
    }

    @Test("direct responses equal those of the router")
    func same() async throws {
        try await ControlServer.with(rules: ScopeRules(["GET /v1/**=a:read"].compactMap { ScopeRules.Rule($0) })) {
            server in
            let valid = try await key(server, #","scopes":["a:*"],"owner":"o","metadata":{"a":"\"b\\"}"#)
            let poor = try await key(server, #","allowed_cidrs":["192.0.2.0/24"]"#)
            let form = "Content-Type: application/x-www-form-urlencoded\r\n"
            var requests: [(String) -> String] = []
            for token in [valid, poor, "junk"] {
                for path in ["/v1/x", "/v1/%2e%2e", "/y"] {
                    requests.append {
                        """
                        GET /v1/forward-auth?scope=a:write HTTP/1.1\r\nHost: a\r\nX-API-Key: \(token)\r\n\
                        X-Original-Method: GET\r\nX-Original-URI: \(path)\r\n\($0)\r\n
                        """
                    }
                    let question =
                        #"{"key":"\#(token)", "method":"GET","path":"\#(path)","ip":"192.0.2.1","scopes":["a:b"]}"#
                    requests.append { post("/v1/verify", question, $0) }
                    requests.append { post("/v1/introspect", "token=\(token)&path=\(path)", form + $0) }
                }
            }
            for request in requests {
                let direct = try await talk(request(""), answers: 1, to: server)
                let routed = try await talk(request("Connection: close\r\n"), answers: 1, to: server)
                #expect(comparable(direct[0]) == comparable(routed[0]), "\(request(""))")
                #expect(direct[0].lowercased().contains("x-request-id: ") && direct[0].contains("Date: "))
            }
        }
    }

    /// Returns the fields in a fixed order and the body of a response, without the parts that always differ.
    private func comparable(_ answer: String) -> [String] {
        let parts = answer.components(separatedBy: "\r\n\r\n")
        let lines = parts[0].components(separatedBy: "\r\n").map { $0.lowercased() }
        return lines.filter { !$0.hasPrefix("date:") && !$0.hasPrefix("x-request-id:") && !$0.hasPrefix("connection:") }
            .sorted() + [parts[1]]
    }

    @Test("pipelined requests get their responses in order, with and without the router")
    func order() async throws {
        try await ControlServer.with { server in
            let token = try await key(server)
            let known = post("/v1/verify", #"{"key":"\#(token)"}"#)
            let unknown = post("/v1/verify", #"{"key":"\#(Token.generate().value)"}"#)
            let escaped = post("/v1/verify", #"{"key":"\u006aunk"}"#)
            let wrong = post("/v1/verify", "{}")
            let health = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
            let all = try await talk(
                known + health + known + unknown + known + escaped + wrong + known + health + known, answers: 10,
                to: server)
            let codes = all.map { answer in
                ["VALID", "NOT_FOUND", "MALFORMED", "validation_failed", "alive"].first {
                    answer.contains($0)
                }
            }
            #expect(
                codes == [
                    "VALID", "alive", "VALID", "NOT_FOUND", "VALID", "MALFORMED", "validation_failed", "VALID", "alive",
                    "VALID",
                ], "\(all)")
        }
    }

    @Test("an overlong body is refused, and a chunked body is read")
    func bodies() async throws {
        try await ControlServer.with { server in
            let token = try await key(server)
            let large = post("/v1/verify", #"{"key":"\#(String(repeating: "a", count: ControlAPI.bodyLimit))"}"#)
            #expect(try await talk(large, answers: 1, to: server)[0].hasPrefix("413 "))
            let chunked = """
                POST /v1/verify HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(ControlServer.adminKey)\r\n\
                Transfer-Encoding: chunked\r\n\r\n7\r\n{"key":\r\n\(String(token.utf8.count + 3, radix: 16))\r\n"\(token)"}\r\n0\r\n\r\n
                """
            #expect(try await talk(chunked, answers: 1, to: server)[0].contains("\"VALID\""))
        }
    }

    @Test("forward-auth does not wait for a body, and no response follows the last one")
    func ends() async throws {
        try await ControlServer.with { server in
            let token = try await key(server)
            let described = "X-API-Key: \(token)\r\nX-Original-Method: POST\r\nX-Original-URI: /\r\n"
            let announced = "GET /v1/forward-auth HTTP/1.1\r\nHost: a\r\n\(described)Content-Length: 5\r\n\r\n"
            #expect(try await talk(announced, answers: 1, to: server)[0].hasPrefix("200 "))
            let large = post("/v1/verify", #"{"key":"\#(String(repeating: "a", count: ControlAPI.bodyLimit))"}"#)
            let known = post("/v1/verify", #"{"key":"\#(token)"}"#)
            #expect(try await talk(large + known + known, answers: 2, to: server).map { $0.prefix(3) } == ["413"])
        }
    }

    @Test("unauthenticated callers are refused as by the router")
    func strangers() async throws {
        try await ControlServer.with { server in
            let token = try await key(server)
            let question = post("/v1/verify", #"{"key":"\#(token)"}"#, admin: token)
            #expect(try await talk(question + question, answers: 2, to: server).allSatisfy { $0.hasPrefix("401 ") })
        }
    }
}

@Suite("Plain JSON reader")
struct PlainJSONTests {
    private func members(_ text: String) -> [String: String]? {
        var found: [String: String] = [:]
        let isPlain = PlainJSON.forEachMember(of: ByteBuffer(string: text)) { name, value in
            switch value {
            case .string(let text): found[name] = text
            case .strings(let texts): found[name] = texts.joined(separator: "|")
            }
            return true
        }
        return isPlain ? found : nil
    }

    @Test("objects of strings and arrays of strings are read")
    func plain() {
        #expect(members(#"{"a":"b"}"#) == ["a": "b"])
        #expect(
            members(" {\n\"a\" : \"e\" ,\t\"b\":[ \"x\" , \"y\" ],\"c\":[]}\r\n") == [
                "a": "e", "b": "x|y", "c": "",
            ])
        #expect(members(#"{"":""}"#) == ["": ""])
    }

    @Test(
        "other JSON and invalid text is rejected",
        arguments: [
            "", "{", "{}", "[]", "null", #""a""#, #"{"a"}"#, #"{"a":}"#, #"{"a":"b",}"#, #"{"a":"b"}}"#,
            #"{"a":"b"} x"#,
            #"{"a":"b""c":"d"}"#, #"{"a":["b",]}"#, #"{"a":["b"}"#, #"{"a":["b"]"#, #"{"a":"b\n"}"#, #"{"a":"b"#,
            #"{"a":1}"#,
            #"{"a":null}"#, #"{"a":[1]}"#, #"{"a":[["b"]]}"#, #"{"a":{"b":"c"}}"#, "{\"a\":\"\u{1}\"}", #"{a:"b"}"#,
            #"{'a':'b'}"#,
            "\u{feff}{\"a\":\"b\"}",
        ])
    func other(_ text: String) {
        #expect(members(text) == nil)
    }

    @Test("bytes that are not UTF-8 are rejected")
    func bytes() {
        let body = ByteBuffer(bytes: Array(#"{"a":""#.utf8) + [0xFF] + Array(#""}"#.utf8))
        #expect(!PlainJSON.forEachMember(of: body) { _, _ in true })
    }
}
