import AuthKeys
import TestSupport
import Testing

@testable import RequestLog

@Suite("Privacy of the request log")
struct LogPrivacyTests {
    private func clean(_ line: TestLine, _ privacy: LogPrivacy = LogPrivacy()) -> TestLine {
        var buffer: [UInt8] = []
        var cleaned = line
        line.with { line in privacy.clean(line, using: &buffer) { cleaned = TestLine($0) } }
        return cleaned
    }

    private static let token = Token.generate().value
    private static let redacted = "kw_..." + token.suffix(4)

    @Test(
        "a token is redacted wherever it stands in a path",
        arguments: [
            ("/keys/\(token)", "/keys/\(redacted)"), ("/\(token)/x/", "/\(redacted)/x/"),
            ("/\(token)/\(token)", "/\(redacted)/\(redacted)"), ("/a;key=\(token),b", "/a;key=\(redacted),b"),
            ("/%6bw_\(token.dropFirst(3))", "/\(redacted)"), ("/kw%5F\(token.dropFirst(3))", "/\(redacted)"),
            ("/kw%255f\(token.dropFirst(3))", "/\(redacted)"),
            ("/" + token.utf8.map { "%" + String($0, radix: 16) }.joined(), "/\(redacted)"),
            ("/my_own_prefix_\(token.dropFirst(3))", "/my_own_prefix_..." + token.suffix(4)),
            ("/a?x_\(String(repeating: "Z", count: 49))&u=kw%255f\(token.dropFirst(3))", "/a?x_...ZZZZ&u=\(redacted)"),
            ("/kw%C1%9F\(token.dropFirst(3))", "/kw%C1%9F...\(token.suffix(4))"),
            ("/kw-\(token.dropFirst(3))", "/kw-...\(token.suffix(4))"),
            // A checksum that does not match may be a typing error.
            ("/\(token.dropLast(5))00000", "/kw_...0000"),
        ])
    func tokens(path: String, expected: String) {
        let line = clean(TestLine.with { $0.path = path })
        #expect(line.path == expected && line.flags == .redacted)
    }

    @Test(
        "other paths stay as they are",
        arguments: [
            "/", "*", "", "/v1/reports/7", "/a%20b/%C3%A4", "/snake_case_name/\(String(repeating: "a", count: 60))",
            "/x_\(String(repeating: "a", count: 48))", "/100%", "/%zz",
        ])
    func others(path: String) {
        let line = clean(TestLine.with { $0.path = path })
        #expect(line.path == path && line.flags == [])
    }

    @Test("a token at the limit of the length leaves nothing behind")
    func atLimit() {
        for start in (LogPrivacy.pathLimit - 60)..<(LogPrivacy.pathLimit + 2) {
            let line = clean(.with { $0.path = "/" + String(repeating: "p", count: start - 2) + "/" + Self.token })
            #expect(
                line.path.utf8.count <= LogPrivacy.pathLimit && !line.path.contains(Self.token.dropFirst(3).prefix(8)))
        }
    }

    @Test("bytes outside printable ASCII are percent-encoded")
    func encoding() {
        #expect(clean(.with { $0.path = "/a b\u{0}ä\u{301}\n" }).path == "/a%20b%00%C3%A4%CC%81%0A")
    }

    @Test("queries are omitted, reduced to names, or kept without tokens")
    func queries() {
        let line = TestLine.with { $0.query = "name=Ada&\(Self.token)&token=\(Self.token)&flag" }
        #expect(clean(line).query == "" && clean(line).flags == [])
        #expect(clean(line, LogPrivacy(queries: .names)).query == "name=...&\(Self.redacted)&token=...&flag")
        #expect(
            clean(line, LogPrivacy(queries: .full)).query == "name=Ada&\(Self.redacted)&token=\(Self.redacted)&flag")
    }

    @Test("addresses are kept, reduced to networks, or omitted")
    func addresses() {
        for (address, network) in [("192.0.2.77", "192.0.2.0"), ("2001:db8:1:2:3::4", "2001:db8:1::")] {
            let line = TestLine.with { $0.address = IPAddress(address) }
            #expect(clean(line).address == IPAddress(address))
            #expect(clean(line, LogPrivacy(addresses: .network)).address == IPAddress(network))
            #expect(clean(line, LogPrivacy(addresses: .none)).address == nil)
        }
    }

    @Test("skipped methods and paths get no line")
    func skips() throws {
        let health = LogPrivacy.Skip(method: "GET", path: try #require(PathPattern("/health")))
        let assets = LogPrivacy.Skip(method: nil, path: try #require(PathPattern("/static/**")))
        let privacy = LogPrivacy(skipping: [health, assets])
        func skips(_ method: String, _ path: String) -> Bool {
            TestLine.with { ($0.method, $0.path) = (method, path) }.with {
                privacy.skips(method: $0.method, path: $0.path)
            }
        }
        #expect(skips("GET", "/health") && skips("PUT", "/static/a/b"))
        #expect(!skips("POST", "/health") && !skips("GET", "/healthy") && !skips("GET", "/statics"))
    }

    @Test("a text that is encoded more often than anyone needs is omitted")
    func nested() {
        let text = "/" + Self.token.replacing("_", with: "%2525252525255f")
        #expect(clean(.with { $0.path = text }).path == "...")
    }

    @Test("a token that the end of a cut text hides in part is redacted")
    func cutToken() {
        let line = TestLine.with {
            ($0.path, $0.flags) = ("/x/" + Self.token.dropLast(9), .cut)
        }
        #expect(clean(line).path.hasPrefix("/x/kw_...") && clean(line).path.utf8.count == 13)
    }

    @Test(
        "tokens with the prefix of an imported scheme are redacted, other texts are not",
        arguments: [
            ("/dl/sk_live_4f1b2c9e7a60d853", "/dl/sk_live_...d853"),
            ("/a;k=sk_live_4f1b2c9e,b", "/a;k=sk_live_...2c9e,b"),
            ("/sk%5flive_4f1b2c9e7a60d853", "/sk_live_...d853"),
            ("/desk_live_4f1b2c9e7a60d853", "/desk_live_4f1b2c9e7a60d853"),
            ("/sk_live_short", "/sk_live_short"),
        ])
    func imported(path: String, expected: String) throws {
        let schemes = TokenSchemes()
        schemes.add([try #require(TokenScheme(prefix: "sk_live_", algorithm: .sha256, part: .token))])
        var privacy = LogPrivacy()
        privacy.schemes = schemes
        #expect(clean(.with { $0.path = path }, privacy).path == expected)
    }

    @Test("methods and names of programs that may be parts of keys are not kept")
    func methods() {
        #expect(clean(.with { $0.method = "kw_FTFp86vljPmxGXWTsouvjpOt28H" }).method == "OTHER")
        #expect(clean(.with { $0.method = "M-SEARCH" }).method == "M-SEARCH")
        #expect(clean(.with { $0.agent = "a-kw_FTFp86vljPmxGXWTsouvj" }).agent == "")
        #expect(clean(.with { $0.agent = "python-requests" }).agent == "python-requests")
    }
}
