import AuthKeys
import Foundation
import Testing

/// Characters that are expensive to process as text.
struct HostileText: Sendable, CustomTestStringConvertible {
    let name: String
    private let unit: String

    var testDescription: String { name }

    static let all = [
        // Out of canonical order, so that normalization has to sort them.
        HostileText(name: "combining marks", unit: "\u{315}\u{300}\u{316}"),
        // The most that Stream-Safe text allows (Unicode Standard Annex #15).
        HostileText(name: "letters with 30 marks", unit: "a" + String(repeating: "\u{315}\u{300}\u{316}", count: 10)),
        HostileText(name: "regional indicators", unit: "\u{1F1E6}"),
        HostileText(name: "joined emoji", unit: "\u{1F468}\u{200D}"),
        HostileText(name: "Hangul vowels", unit: "\u{1161}"),
        HostileText(name: "letters", unit: "a"),
    ]

    /// Returns a text of at most this many bytes.
    func bytes(_ count: Int) -> String { String(repeating: unit, count: count / unit.utf8.count) }
}

/// A request with one input of the largest size.
struct CostInput {
    let name: String
    let request: [UInt8]
    var isBody = false
}

/// The inputs of both listeners.
struct CostInputs {
    let text: HostileText
    let key: String
    let admin: String

    private static let keys = "/admin/api/v1/auth-keys"
    private static let id = "0190163d-8694-739b-8b6e-c1e1b9f4a2d3"
    /// The size of a field in bytes: the gateway accepts heads of 32 KiB, the control listener heads of 80 KiB.
    private static let gatewayField = 31_000
    private static let controlField = 78_000
    private static let target = 8_000
    private static let body = 63_000

    private var authorization: String { "Authorization: Bearer \(key)\r\n" }
    private var adminAuthorization: String { "Authorization: Bearer \(admin)\r\n" }

    // MARK: - The gateway

    var gateway: [CostInput] {
        let field = text.bytes(Self.gatewayField)
        func head(_ name: String, _ fields: String, target: String = "/") -> CostInput {
            request("\(name)", "GET", target, authorization + fields)
        }
        let own: [CostInput] = [
            head("target", "", target: "/" + text.bytes(Self.target)),
            head("query", "", target: "/?q=" + Self.encoded(text.bytes(Self.target / 3))),
            request("Authorization", "GET", "/", "Authorization: Bearer \(field)\r\n"),
            request("X-API-Key", "GET", "/", "X-API-Key: \(field)\r\n"),
            head("X-Forwarded-For", "X-Forwarded-For: \(field)\r\n"),
            head(
                "X-Forwarded-For, addresses", "X-Forwarded-For: " + Self.repeated("::,", Self.gatewayField) + "::\r\n"),
            head("X-Forwarded-For, commas", "X-Forwarded-For: " + Self.repeated(",", Self.gatewayField) + "\r\n"),
            head("a field's name", Self.repeated("x", Self.gatewayField) + ": 1\r\n"),
        ]
        let names = [
            "X-Forwarded-Proto", "X-Forwarded-Host", "User-Agent", "Cookie", "Connection", "TE", "Origin", "X-Any",
        ]
        return own + names.map { name in head(name, "\(name): \(field)\r\n") }
    }

    // MARK: - The control listener

    var control: [CostInput] { heads + forwardAuth + queries + bodies + imports }

    private var heads: [CostInput] {
        let field = text.bytes(Self.controlField)
        let own: [CostInput] = [
            request("path", "GET", "/" + text.bytes(Self.controlField), ""),
            request("path of a key", "GET", "\(Self.keys)/" + text.bytes(Self.target), adminAuthorization),
            request("Authorization", "GET", Self.keys, "Authorization: Bearer \(field)\r\n"),
            request(
                "Basic", "POST", "/v1/introspect",
                "Authorization: Basic \(Data((":" + text.bytes(55_000)).utf8).base64EncodedString())\r\n"),
            request("If-Match", "PATCH", "\(Self.keys)/\(Self.id)", adminAuthorization + "If-Match: \"\(field)\"\r\n"),
            request(
                "Idempotency-Key", "POST", Self.keys, adminAuthorization + "Idempotency-Key: \(field)\r\n",
                body: #"{"name":"n"}"#),
            request(
                "Content-Type", "POST", "/v1/introspect", adminAuthorization + "Content-Type: \(field)\r\n",
                body: "token=a"),
        ]
        let names = ["Connection", "Expect", "Upgrade", "Cookie", "Host", "Accept", "X-Any"]
        return own
            + names.map { name in request(name, "GET", Self.keys, adminAuthorization + "\(name): \(field)\r\n") }
    }

    private var forwardAuth: [CostInput] {
        let field = text.bytes(Self.controlField)
        let described = "X-Forwarded-Method: GET\r\nX-Forwarded-Uri: /\r\n"
        let own: [CostInput] = [
            request("forward-auth path", "GET", "/v1/forward-auth/" + text.bytes(Self.controlField), authorization),
            request(
                "forward-auth scope", "GET", "/v1/forward-auth?scope=" + Self.encoded(text.bytes(Self.target / 3)),
                authorization + described),
            request(
                "forward-auth scopes", "GET", "/v1/forward-auth?scope=" + Self.repeated("a+", Self.target),
                authorization + described),
            request(
                "forward-auth Authorization", "GET", "/v1/forward-auth",
                described + "Authorization: Bearer \(field)\r\n"),
            request(
                "forward-auth addresses", "GET", "/v1/forward-auth",
                authorization + described + "X-Forwarded-For: " + Self.repeated("::,", Self.controlField) + "::\r\n"),
        ]
        let names = [
            "X-Forwarded-Method", "X-Forwarded-Uri", "X-Original-Method", "X-Original-URI", "X-Original-URL",
            "X-Forwarded-For", "X-Real-IP", "X-API-Key", "User-Agent", "Cookie",
        ]
        return own
            + names.map { name in
                let credential = name == "X-API-Key" ? "" : authorization
                return request(
                    "forward-auth \(name)", "GET", "/v1/forward-auth", "\(credential)\(described)\(name): \(field)\r\n")
            }
    }

    private var queries: [CostInput] {
        let value = Self.encoded(text.bytes(Self.target / 3))
        let names = ["q", "owner", "label", "scope", "cursor", "status", "expiring_within", value]
        let own: [CostInput] = names.map { name in
            request("query \(name.prefix(16))", "GET", "\(Self.keys)?\(name)=\(value)", adminAuthorization)
        }
        let more: [CostInput] = [
            request("query, many", "GET", "\(Self.keys)?" + Self.repeated("a&", Self.target), adminAuthorization),
            request(
                "explain path", "GET", "\(Self.keys)/\(Self.id)/explain?path=/\(value)", adminAuthorization),
        ]
        return own + more
    }

    private var bodies: [CostInput] {
        let value = text.bytes(Self.body)
        let named: [(String, String, String)] = [
            ("name", Self.keys, "{\"name\":\"\(value)\"}"),
            ("name, blanks", Self.keys, "{\"name\":\"" + Self.repeated(" ", Self.body) + "a\"}"),
            ("owner", Self.keys, "{\"name\":\"n\",\"owner\":\"\(value)\"}"),
            ("member", Self.keys, "{\"name\":\"n\",\"\(value)\":1}"),
            ("members", Self.keys, "{\"name\":\"n\"" + (0..<8_000).map { ",\"\($0)\":1" }.joined() + "}"),
            ("metadata", Self.keys, "{\"name\":\"n\",\"metadata\":{\"a\":\"\(value)\"}}"),
            (
                "metadata, numbers", Self.keys,
                "{\"name\":\"n\",\"metadata\":{\"a\":[" + Self.repeated("1,", 8_000) + "1]}}"
            ),
            (
                "metadata, texts", Self.keys,
                "{\"name\":\"n\",\"metadata\":{\"a\":[" + Self.repeated("\"\",", 12_000) + "1]}}"
            ),
            (
                "metadata, objects", Self.keys,
                "{\"name\":\"n\",\"metadata\":{\"a\":[" + Self.repeated("{\"a\":1},", 16_000) + "1]}}"
            ),
            ("labels", Self.keys, "{\"name\":\"n\",\"labels\":{\"a\":\"\(value)\"}}"),
            ("scopes", Self.keys, "{\"name\":\"n\",\"scopes\":[\"\(value)\"]}"),
            ("allowed_paths", Self.keys, "{\"name\":\"n\",\"allowed_paths\":[\"/\(value)\"]}"),
            ("allowed_cidrs", Self.keys, "{\"name\":\"n\",\"allowed_cidrs\":[\"\(value)\"]}"),
            ("expires_at", Self.keys, "{\"name\":\"n\",\"expires_at\":\"\(value)\"}"),
            ("escapes", Self.keys, "{\"name\":\"" + Self.repeated("\\u0315\\u0300", Self.body) + "\"}"),
            ("number", Self.keys, "{\"name\":" + Self.repeated("1", Self.body) + "}"),
            ("brackets", Self.keys, Self.repeated("[", Self.body)),
            ("braces", Self.keys, Self.repeated("{\"a\":", Self.body)),
            ("verify key", "/v1/verify", "{\"key\":\"\(value)\"}"),
            ("verify member", "/v1/verify", "{\"key\":\"a\",\"\(value)\":\"a\"}"),
            ("verify path", "/v1/verify", "{\"key\":\"\(key)\",\"path\":\"/\(value)\"}"),
            (
                "verify scopes", "/v1/verify",
                "{\"key\":\"\(key)\",\"scopes\":[" + Self.repeated("\"a\",", Self.body) + "\"a\"]}"
            ),
            ("verify user_agent", "/v1/verify", "{\"key\":\"\(key)\",\"user_agent\":\"Mozilla \(value)\"}"),
            (
                "verify batch", "/v1/verify/batch",
                "{\"requests\":["
                    + Array(repeating: "{\"key\":\"\(text.bytes(600))\"}", count: 100).joined(separator: ",") + "]}"
            ),
            ("Unkey name", "/v2/keys.createKey", "{\"apiId\":\"a\",\"name\":\"\(value)\"}"),
            ("Unkey keyId", "/v2/keys.getKey", "{\"keyId\":\"\(value)\"}"),
            ("Unkey permissions", "/v2/keys.verifyKey", "{\"key\":\"\(key)\",\"permissions\":\"\(value)\"}"),
            ("rotation", "\(Self.keys)/\(Self.id)/rotate", "{\"\(value)\":1}"),
        ]
        let form = "Content-Type: application/x-www-form-urlencoded\r\n"
        let own: [CostInput] = named.map { name, path, body in
            request("body: \(name)", "POST", path, adminAuthorization, body: body)
        }
        let fields = adminAuthorization + form
        let more: [CostInput] = [
            request("body of a stranger", "POST", Self.keys, "", body: "{\"name\":\"\(value)\"}", isBody: true),
            request("form", "POST", "/v1/introspect", fields, body: "token=\(value)"),
            request("form, name", "POST", "/v1/introspect", fields, body: "\(value)=a"),
            request(
                "form, encoded", "POST", "/v1/introspect", fields,
                body: "token=a&scope=\(Self.encoded(text.bytes(Self.body / 3)))"),
            request("form, many", "POST", "/v1/introspect", fields, body: Self.repeated("a&", Self.body)),
            CostInput(name: "body in UTF-16", request: utf16Body, isBody: true),
        ]
        return own + more
    }

    private var utf16Body: [UInt8] {
        let text = "{\"a\":" + Self.repeated("[", Self.body / 2)
        var body: [UInt8] = []
        for unit in text.utf16.prefix(Self.body / 2) { body += [UInt8(unit & 0xFF), UInt8(unit >> 8)] }
        return head("POST", Self.keys, adminAuthorization, bodyLength: body.count) + body
    }

    private var imports: [CostInput] {
        let lines = [
            "{\"name\":\"\(text.bytes(Self.body))\"}", "{\"\(text.bytes(Self.body))\":1}",
            "{\"name\":\"n\",\"token\":\"\(text.bytes(Self.body))\",\"prefix\":\"a\"}", text.bytes(Self.body),
        ]
        return lines.enumerated().map { number, line in
            request("import line \(number)", "POST", "\(Self.keys)/import?dry_run=true", adminAuthorization, body: line)
        }
    }

    // MARK: - Requests

    private func request(
        _ name: String, _ method: String, _ target: String, _ fields: String, body: String? = nil, isBody: Bool? = nil
    ) -> CostInput {
        let head = head(method, target, fields, bodyLength: body?.utf8.count)
        return CostInput(name: name, request: head + Array((body ?? "").utf8), isBody: isBody ?? (body != nil))
    }

    private func head(_ method: String, _ target: String, _ fields: String, bodyLength: Int?) -> [UInt8] {
        let host = fields.contains("Host: ") && !fields.contains("-Host: ") ? "" : "Host: a\r\n"
        let length = bodyLength.map { "Content-Length: \($0)\r\n" } ?? ""
        let close = fields.contains("Connection: ") ? "" : "Connection: close\r\n"
        return Array("\(method) \(target) HTTP/1.1\r\n\(host)\(fields)\(length)\(close)\r\n".utf8)
    }

    private static func repeated(_ unit: String, _ bytes: Int) -> String {
        String(repeating: unit, count: bytes / unit.utf8.count)
    }

    private static func encoded(_ text: String) -> String {
        text.utf8.map { "%" + Hex.text([$0], isUppercase: true) }.joined()
    }
}
