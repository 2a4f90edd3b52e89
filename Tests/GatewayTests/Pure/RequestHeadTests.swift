import AuthKeys
import Testing

@testable import Gateway

@Suite("Request head") struct RequestHeadTests {
    private static let limits = HeadLimits(headBytes: 32_768, targetBytes: 8_192, fieldCount: 100)

    private func read(_ text: String) -> Result<RequestHead, HeadError> {
        read(Array(text.utf8))
    }

    private func read(_ bytes: [UInt8]) -> Result<RequestHead, HeadError> {
        bytes.withUnsafeBytes { bytes in
            do throws(HeadError) {
                var scanner = HeadScanner()
                guard let length = try scanner.end(of: bytes, limits: Self.limits) else { return .failure(.malformed) }
                var head = RequestHead()
                try head.read(bytes.part(0..<length), limits: Self.limits)
                return .success(head)
            } catch {
                return .failure(error)
            }
        }
    }

    @Test(
        "a head that violates the grammar is refused",
        arguments: [
            "GET / HTTP/1.1\nHost: a\n\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\u{0}c\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\u{7F}\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX\u{0B}: b\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
            "GET /\tHTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / http/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1x\r\nHost: a\r\n\r\n",
            "GET /\r\nHost: a\r\n\r\n",
            "GET\r\n\r\n",
            "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "G@T / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET path HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http:// HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http://user@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost:\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
        ])
    func grammar(_ text: String) {
        #expect(throws: HeadError.malformed) { try read(text).get() }
    }

    @Test(
        "an invalid byte of a target is named",
        "a byte that a target must not have is named",
        arguments: [("/#", 0x23, 1), ("/a\u{FC}", 0xC3, 2), ("\u{7F}", 0x7F, 0)])
    func targetByte(_ target: String, _ byte: UInt8, _ offset: Int) {
        #expect(throws: HeadError.target(TargetFault(byte: byte, offset: offset))) {
            try read("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n").get()
        }
        let digits = String(byte, radix: 16, uppercase: true)
        #expect(
            TargetFault(byte: byte, offset: offset).message
                == "the request target has the byte 0x\(digits) at offset \(offset): percent-encode it as %\(digits)")
    }

    @Test(
        "ambiguous framing is refused",
        arguments: [
            "Content-Length: 5\r\nContent-Length: 5", "Content-Length: 5\r\nContent-Length: 6", "Content-Length: 5, 5",
            "Content-Length: +5", "Content-Length: -5", "Content-Length: 0x5", "Content-Length:", "Content-Length: 5 5",
            "Content-Length: 99999999999999999999", "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nContent-Length: 5",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked, identity", "Transfer-Encoding: identity",
            "Transfer-Encoding: xchunked", "Transfer-Encoding: \"chunked\"", "Transfer-Encoding: chunked;q=1",
            "Transfer-Encoding:", "Transfer-Encoding: \u{0B}chunked",
        ])
    func framing(_ fields: String) {
        #expect(throws: HeadError.malformed) { try read("POST / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n").get() }
    }

    @Test("a chunked body needs HTTP/1.1") func chunkedVersion() {
        #expect(throws: HeadError.malformed) {
            try read("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").get()
        }
    }

    @Test("an unsupported version has its own error", arguments: ["HTTP/2.0", "HTTP/0.9", "HTTP/1.2", "HTTP/3.0"])
    func versions(_ version: String) {
        #expect(throws: HeadError.unsupportedVersion) { try read("GET / \(version)\r\nHost: a\r\n\r\n").get() }
    }

    @Test("limits have their own errors") func limitErrors() {
        #expect(throws: HeadError.targetTooLong) {
            try read("GET /\(String(repeating: "a", count: 8_192)) HTTP/1.1\r\nHost: a\r\n\r\n").get()
        }
        #expect(throws: HeadError.targetTooLong) { try read("GET /" + String(repeating: "a", count: 40_000)).get() }
        #expect(throws: HeadError.tooLarge) {
            try read("GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "a", count: 33_000))\r\n\r\n").get()
        }
        #expect(throws: HeadError.tooLarge) {
            try read("GET / HTTP/1.1\r\nHost: a\r\n\(String(repeating: "X: a\r\n", count: 100))\r\n").get()
        }
    }

    @Test("the four forms of a target are distinguished") func targetForms() throws {
        let absolute = Array("GET http://other.test:81/p?q=1 HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
        let head = try read(absolute).get()
        #expect(String(decoding: absolute[head.path], as: UTF8.self) == "/p?q=1")
        #expect(head.authority.map { String(decoding: absolute[$0], as: UTF8.self) } == "other.test:81")
        #expect(try read("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").get().method == .options)
        #expect(try read("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n").get().method == .connect)
    }

    @Test("bytes above ASCII in a value are accepted") func nonASCIIValues() throws {
        let bytes = Array("GET / HTTP/1.1\r\nHost: a\r\nX: ".utf8) + [0xE9, 0xFF] + Array("\r\n\r\n".utf8)
        #expect(try read(bytes).get().fields.lines.count == 2)
    }

    @Test(
        "a name that resembles one of Keyward's own is reserved",
        arguments: [
            "X-Keyward-Key-Id", "x-keyward-anything", "X_Keyward_Key_Id", "X.KEYWARD.Owner", "X-Keyward_Scopes",
            "X-Forwarded_For", "x_forwarded_host", "X-Forwarded.Proto", "X-Forwarded-Server", "Forwarded", "X-Real-IP",
            "X_REAL_IP", "X!Keyward!Owner", "X~Keyward~Owner", "X'Keyward'Key-Id", "X+Keyward+Scopes",
            "x|forwarded|for",
            "X*Real*IP",
        ])
    func reservedNames(_ name: String) {
        #expect(Array(name.utf8).withUnsafeBytes { FieldKind($0) } == .reserved)
    }

    @Test("the fields of a trusted proxy are recognized by their exact names") func forwardedNames() {
        #expect(Array("x-forwarded-for".utf8).withUnsafeBytes { FieldKind($0) } == .forwardedFor)
        #expect(Array("X-Forwarded-Proto".utf8).withUnsafeBytes { FieldKind($0) } == .forwardedProto)
        #expect(Array("X-FORWARDED-HOST".utf8).withUnsafeBytes { FieldKind($0) } == .forwardedHost)
    }

    @Test(
        "a name that does not resemble one of Keyward's own is not reserved",
        arguments: ["X-Keyword-Id", "X-Keyward", "Xkeyward-id", "X-Real-IPs", "Forwarded-By", "X-Api-Keys", "Hos"])
    func otherNames(_ name: String) {
        #expect(Array(name.utf8).withUnsafeBytes { FieldKind($0) } == .other)
    }
}
