import Foundation
import TestSupport
import Testing

@testable import AuthKeys

@Suite("Path patterns")
struct PathPatternTests {
    @Test("a segment may begin with a scalar that combines with the slash") func combiningScalar() {
        for text in ["/*/\u{1F3FB}", "/\u{301}/**", "/a/\u{1F3FB}/"] {
            let stored =
                text.utf8.count > 1 && text.utf8.last == UInt8(ascii: "/") ? text.utf8.dropLast() : text.utf8[...]
            #expect(PathPattern(text)?.text.utf8.elementsEqual(stored) == true, "\(text)")
        }
        #expect(PathPattern("/*\u{1F3FB}/a") == nil && PathPattern("\u{1F3FB}/") == nil)
    }

    private func matches(_ pattern: String, _ path: String) -> Bool {
        Array(pattern.utf8).withUnsafeBytes { pattern in
            Array(path.utf8).withUnsafeBytes { path in
                PathPattern.unambiguous(path).map { PathPattern.matches(pattern, $0) } ?? false
            }
        }
    }

    @Test(
        "a pattern matches its paths and no others",
        arguments: [
            ("/", ["/", "", "/?a=b", "?x"], ["/a", "//", "*"]),
            ("/v1", ["/v1", "/v1/", "/v1?x=/y", "/%76%31"], ["/", "/v", "/v11", "/v1/a", "/V1", "v1"]),
            ("/v1/*", ["/v1/a", "/v1/a/", "/v1/a?b", "/v1/%20", "/v1/*"], ["/v1", "/v1/", "/v1/a/b", "/v2/a"]),
            ("/v1/**", ["/v1", "/v1/", "/v1/a", "/v1/a/b/c/"], ["/v11", "/v2", "/"]),
            ("/*/docs/*", ["/a/docs/b", "/a/docs/b/"], ["/a/docs", "/docs/b", "/a/b/docs/c", "/a/docs/b/c"]),
            ("/a/*/**", ["/a/b", "/a/b/c/d"], ["/a", "/a/"]),
            ("/**", ["/", "/a", "/a/b", "*", ""], []),
            ("/caf\u{e9}/b c", ["/caf%C3%A9/b%20c", "/caf%c3%a9/b%20c"], ["/cafe/b%20c", "/caf%C3%A9/b+c"]),
            ("/a", ["/%61"], ["/%6", "/%", "/%zz", "/a%"]),
        ] as [(String, [String], [String])])
    func fit(_ pattern: String, _ fitting: [String], _ others: [String]) {
        #expect(PathPattern(pattern) != nil)
        for path in fitting { #expect(matches(pattern, path), "\(path)") }
        for path in others { #expect(!matches(pattern, path), "\(path)") }
    }

    @Test("random patterns match as a segment-by-segment comparison does")
    func random() throws {
        let parts = ["a", "ab", "abcdefgh", "abcdefgi", "abcdefghijklmnop", "*", "**", "%61", "%2A", "a.b"]
        func segments(_ count: ClosedRange<Int>) -> [String] {
            (0..<Int.random(in: count)).map { _ in parts.randomElement() ?? "a" }
        }
        func expected(_ pattern: ArraySlice<String>, _ path: ArraySlice<String>) -> Bool {
            guard let wanted = pattern.first else { return path.isEmpty }
            if wanted == "**" { return true }
            guard let segment = path.first else { return false }
            return (wanted == "*" || wanted == segment.removingPercentEncoding)
                && expected(pattern.dropFirst(), path.dropFirst())
        }
        var fitting = 0
        for _ in 0..<20_000 {
            var path = segments(0...4)
            let pattern = Bool.random() ? segments(0...4) : path.map { Int.random(in: 0..<4) == 0 ? "*" : $0 }
            let text = "/" + pattern.joined(separator: "/")
            guard PathPattern(text) != nil else { continue }
            if path.isEmpty, Bool.random() { path = segments(1...4) }
            let isFitting = expected(pattern[...], path[...])
            let slash = !path.isEmpty && Bool.random() ? "/" : ""
            #expect(matches(text, "/" + path.joined(separator: "/") + slash) == isFitting, "\(text) \(path)")
            fitting += isFitting ? 1 : 0
        }
        #expect(fitting > 1_000)
    }

    @Test(
        "an invalid pattern is refused",
        arguments: [
            "", "v1", "*", "/a//b", "//", "/a/../b", "/.", "/a*", "/**/a", "/***", "/a?b", "/a#b", "/a;b", "/a\\b",
            "/%61", "/a\u{0}", "/a\nb", "/" + String(repeating: "a", count: 512),
        ])
    func invalid(_ text: String) {
        #expect(PathPattern(text) == nil)
    }

    @Test("a trailing slash is ignored")
    func slash() {
        #expect(PathPattern("/v1/")?.text == "/v1")
        #expect(PathPattern("/")?.text == "/")
    }

    @Test(
        "an ambiguous path is detected",
        arguments: [
            ("/a/../b", true), ("/..", true), ("/.", true), ("/a/./b", true), ("/a/..", true), ("/a/.?x", true),
            ("/%2e%2e/b", true), ("/a/%2E", true), ("/a%2fb", true), ("/a%2Fb", true), ("//a", true), ("/a//b", true),
            ("/a//", true), ("/a;b=c/d", true), ("/a%3bb", true), ("/a\\b", true), ("/a%5cb", true), ("/a%00", true),
            ("/a#/b", true),
            ("/a%", true), ("/a%2", true), ("/a%zz", true), ("/%252e", true), ("/%2561", true),
            ("/%25%32%65", true), ("/%252%65", true), ("/%25%32e", true), ("/%25%2532e", true), ("/%2%65", true),
            ("/%%32e", true), ("/%25%34%31", true),
            ("/", false), ("", false), ("/a", false), ("/a/", false), ("/a.b/..c", false), ("/...", false),
            ("/a%20b", false), ("/a%23b", false), ("/a%25", false), ("/100%25/b", false), ("/a?x=../..//;\\%00", false),
            ("*", false),
        ])
    func ambiguous(_ path: String, _ isAmbiguous: Bool) {
        #expect(Array(path.utf8).withUnsafeBytes { PathPattern.unambiguous($0) == nil } == isAmbiguous)
    }

    @Test(
        "dot segments are detected in every spelling",
        arguments: [
            ("/a/..", true), ("/%2e%2E/b", true), ("/%252e/", true), ("/%25%32%65/a", true), ("/%2%65", true),
            ("/%%32%65", true), ("/a%2f..%2fb", true), ("/..%255cb", true), ("/%25252525252e", true),
            ("/..;x/", true), ("/" + String(repeating: "%25", count: 2_000) + "2e", false),
            ("/a", false), ("/...", false), ("/a%20b", false), ("/a%252eb", false), ("/?a=/../", false),
            ("/%c3%a9", false), ("/%", false), ("/" + String(repeating: "%", count: 8_000), false),
        ])
    func dotSegment(_ path: String, _ has: Bool) {
        #expect(Array(path.utf8).withUnsafeBytes { PathPattern.hasDotSegment($0) } == has)
    }

    @Test("a path with a dot segment in any spelling counts as ambiguous")
    func dotSegments() {
        let pieces = [
            "/", ".", "..", "%2e", "%2E", "%252e", "%2f", "%32", "%65", "%25%32%65", "2", "%25", "%", "2e", "\\", "%5C",
            ";", "%3b", "a", "?",
        ]
        var random = SeededRandom(state: 7)
        var count = 0
        for _ in 0..<100_000 {
            let path =
                "/"
                + (0..<Int.random(in: 1...6, using: &random)).map { _ in
                    pieces.randomElement(using: &random) ?? ""
                }.joined()
            Array(path.utf8).withUnsafeBytes { bytes in
                guard PathPattern.hasDotSegment(bytes) else { return }
                count += 1
                if PathPattern.unambiguous(bytes) != nil { Issue.record("\(path)") }
            }
        }
        #expect(count > 10_000)
    }
}
