import Testing

@testable import AuthKeys

@Suite("Cost rules")
struct CostRulesTests {
    private func rules(_ texts: String...) throws -> CostRules {
        CostRules(try texts.map { try #require(CostRules.Rule($0)) })
    }

    private func cost(_ method: String, _ path: String, _ rules: CostRules) -> Int64 {
        Array(method.utf8).withUnsafeBytes { method in
            Array(path.utf8).withUnsafeBytes { rules.cost(method: method, path: $0) }
        }
    }

    @Test("the first rule that matches decides, otherwise a request costs 1")
    func firstMatch() throws {
        let rules = try rules("GET /v1/models=0", "POST /v1/images/**=10", "* /v1/**=2", "POST /v1/images/large=50")
        for (method, path, expected) in [
            ("GET", "/v1/models", 0), ("HEAD", "/v1/models", 0), ("POST", "/v1/models?a=b", 2),
            ("POST", "/v1/images/large", 10), ("PATCH", "/v1/images/large", 2), ("GET", "/v2", 1), ("GET", "", 1),
        ] as [(String, String, Int64)] {
            #expect(cost(method, path, rules) == expected, "\(method) \(path)")
        }
        #expect(cost("GET", "/v1/../x", CostRules()) == 1 && CostRules().isEmpty)
    }

    @Test("no other form of a path or a method avoids a cost")
    func ambiguous() throws {
        let rules = try rules("GET /free=0", "PURGE /v1/images/**=10")
        for (method, path) in [
            ("PURGE", "/v1//images/a"), ("PURGE", "/v1/%2e%2e/v1/images/a"), ("PURGE", "/free/../v1/images/a"),
            ("purge", "/v1/images/a"), ("get", "/free"),
        ] {
            #expect(cost(method, path, rules) == 10, "\(method) \(path)")
        }
        #expect(cost("PURGE", "/v1/im%61ges/a", rules) == 10)
        #expect(cost("GET", "/free/", try self.rules("GET /free=0")) == 0)
        #expect(cost("GET", "/free//", try self.rules("GET /free=0")) == 1, "at least 1 if the path is ambiguous")
    }

    @Test(
        "a text in another form is not a rule",
        arguments: [
            "", "GET /a", "GET /a=", "GET /a=-1", "GET /a=+1", "GET /a= 1", "GET /a=1.5", "GET /a=1000001", "GET /a=x",
            "GET a=1", "/a=1", "GET=1", "=1", "GET /a/**/b=1", "GET /a=99999999999999999999", "GET /a=١",
        ])
    func invalid(_ text: String) {
        #expect(CostRules.Rule(text) == nil)
    }

    @Test("costs from 0 to 1000000 are accepted")
    func bounds() throws {
        #expect(cost("GET", "/a", try rules("GET /a=1000000")) == 1_000_000)
        #expect(cost("GET", "/a", try rules("GET /a=0")) == 0)
    }
}
