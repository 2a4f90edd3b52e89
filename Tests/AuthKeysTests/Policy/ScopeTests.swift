import Testing

@testable import AuthKeys

@Suite("Scopes")
struct ScopeTests {
    private func covers(_ granted: String, _ needed: String) -> Bool {
        Array(granted.utf8).withUnsafeBytes { ScopePattern.covers($0, Array(needed.utf8)) }
    }

    @Test(
        "a granted scope covers its scopes and no others",
        arguments: [
            (
                "documents:read", ["documents:read"],
                ["documents", "documents:write", "documents:read:own", "ocuments:read"]
            ),
            ("documents:*", ["documents:read", "documents:read:own"], ["documents", "documents:", "documentsx:read"]),
            ("*", ["a", "a:b"], [""]),
            ("*:read", ["a:read", "b:read"], ["read", "a:b:read", "a:reader", ":read"]),
            ("a:*:c", ["a:b:c"], ["a:c", "a::c", "a:b:c:d", "a:b"]),
            ("a*", ["a*"], ["ab", "a"]),
            ("x y:* z", ["x", "y:a", "z"], ["y", "x y:*", "xy"]),
            ("", [], ["a", "*"]),
        ] as [(String, [String], [String])])
    func cover(_ granted: String, _ covered: [String], _ others: [String]) {
        for scope in covered { #expect(covers(granted, scope), "\(scope)") }
        for scope in others { #expect(!covers(granted, scope), "\(scope)") }
    }

    @Test("rules are parsed, and the first match decides")
    func rules() throws {
        let rules = ScopeRules(
            try [
                "GET /v1/documents/public=-", "GET /v1/documents/*=documents:read",
                "* /v1/documents/**=documents:write",
                "DELETE /a=b/c=x:y z",
            ].map { try #require(ScopeRules.Rule($0), "\($0)") })
        for empty in ["* /**=", "* /**= ", "GET /v1/documents/public="] {
            #expect(ScopeRules.Rule(empty) == nil, "\(empty)")
        }
        func needed(_ method: String, _ path: String) -> String? {
            try? rules.requirement(method: method, path: path).text
        }
        #expect(needed("GET", "/v1/documents/public") == "")
        #expect(needed("GET", "/v1/documents/7") == "documents:read")
        #expect(needed("HEAD", "/v1/documents/7/") == "documents:read")
        #expect(needed("GET", "/v1/documents/7/pages") == "documents:write")
        #expect(needed("GET", "/v1/%64ocuments/7") == "documents:read")
        #expect(needed("DELETE", "/a=b/c") == "x:y z")
        #expect(needed("GET", "/other") == "")
        #expect(throws: Refusal.pathAmbiguous) { try rules.requirement(method: "GET", path: "/v1/x/../documents/7") }
        #expect(try ScopeRules().requirement(method: "GET", path: "/a/../b") == ScopeRequirement.none)
    }

    @Test("a method that differs in case alone from a known one or a rule's is refused")
    func miscased() throws {
        let rules = ScopeRules([try #require(ScopeRules.Rule("BAN /**=a"))])
        for method in ["get", "Post", "dELETE", "propfind", "version-control", "ban", "Ban"] {
            #expect(throws: Refusal.methodAmbiguous, "\(method)") { try rules.requirement(method: method, path: "/") }
        }
        for method in ["GET", "BAN", "gets", "bans", "", "custom"] {
            #expect(throws: Never.self, "\(method)") { try rules.requirement(method: method, path: "/") }
        }
        #expect(throws: Refusal.methodAmbiguous) { try ScopeRules().requirement(method: "post", path: "/") }
        #expect(try ScopeRules().requirement(method: "ban", path: "/") == ScopeRequirement.none)
    }

    @Test(
        "an invalid rule is refused",
        arguments: [
            "", "GET", "GET /a", "/a=b", "GET a=b", "G T /a=b", "GET /a/../b=c", "GET /a=b:*", "GET /a=b\"",
            "GE\u{e9} /a=b",
        ])
    func invalid(_ text: String) {
        #expect(ScopeRules.Rule(text) == nil)
    }
}
