import AuthKeys
import Testing

@testable import Gateway

@Suite("Self path") struct SelfPathTests {
    @Test(
        "only an absolute path without query, patterns and encoding is accepted",
        arguments: [
            "", "/", "api-key", "/a?b", "/a#b", "/a*", "/*", "/a/**", "/a//b", "/a/../b", "/a/.", "/a%20b", "/a/",
            "/a;b", "/a\\b", "http://a/b", "/" + String(repeating: "a", count: 510),
        ])
    func refused(text: String) {
        #expect(SelfPath(text) == nil)
    }

    @Test(
        "a path is compared decoded, and an ambiguous path belongs to the upstream",
        arguments: [
            ("/.well-known/api-key", SelfPath.Target.key), ("/.well-known/%61pi-key", .key),
            ("/.well-known/api-key/", .key), ("/.well-known/api-key?limits=all", .key),
            ("/.well-known/api-key/rotate", .rotation), ("/.well-known/api-key/rot%61te?x", .rotation),
            ("/.well-known/api-keys", nil), ("/.well-known/api-key/rotate/x", nil), ("/.well-known", nil),
            ("/.Well-known/api-key", nil), ("/.well-known/./api-key", nil), ("//.well-known/api-key", nil),
            ("/.well-known%2Fapi-key", nil), ("/.well-known/%2561pi-key", nil), ("/.well-known/api-key;x", nil),
            ("/x/../.well-known/api-key", nil), ("", nil), ("*", nil),
        ])
    func compared(path: String, target: SelfPath.Target?) throws {
        let own = try #require(SelfPath("/.well-known/api-key"))
        #expect(Array(path.utf8).withUnsafeBytes { own.target(of: $0) } == target)
    }
}
