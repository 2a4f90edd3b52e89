import AuthKeys
import Foundation
import HTTPCredentials
import TestSupport
import Testing

@Suite("RateLimit fields by a parser of Structured Fields", .timeLimit(.minutes(2)))
struct LimitFieldSyntaxTests {
    private func state(
        _ name: String, _ limit: Int64, _ window: Int64?, remaining: Int64, reset: Int64?, kind: LimitUse.Kind = .rate
    ) -> LimitStatus {
        LimitStatus(
            name: name, limit: limit, window: window.map { .seconds($0) }, remaining: remaining,
            reset: reset.map { .seconds($0) }, retryAfter: nil, refusal: nil, isReportOnly: false, kind: kind)
    }

    @Test("http_sfv reads both fields as lists of strings with integer and string parameters")
    func parsed() async throws {
        let longest = String(repeating: "a-9", count: 10)
        let states = [
            state("minute", 600, 60, remaining: 288, reset: 31),
            state(longest, LimitRule.unitLimit, 2_678_400, remaining: .max, reset: 2_678_400, kind: .quota),
            state("at-a-time", 20, nil, remaining: 0, reset: nil, kind: .concurrent),
            state("0", 1, 1, remaining: 0, reset: 0),
        ]
        let fields = LimitFields.fields(states)
        #expect(fields.map(\.name) == ["RateLimit-Policy", "RateLimit"])
        let script = TestTool.repository.appending(path: "Tests/ClientTests/Python/limit_fields.py").path
        let result = try await TestTool.run(
            "python", [script], environment: ["FIELDS": fields.map(\.value).joined(separator: "\n")])
        #expect(result.status == 0, "\(result.error)")
        let parsed = try #require(
            try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [[[Any]]], "\(result.output)")
        try #require(parsed.count == 2)
        for members in parsed {
            #expect(members.map { $0.first as? String } == ["minute", longest, "at-a-time", "0"])
            #expect(members.allSatisfy { $0[1] as? String == "str" })
        }
        let parameters = parsed.map { members in
            members.map { ($0[2] as? [String: Any] ?? [:]).mapValues { "\($0)" } }
        }
        #expect(
            parameters == [
                [
                    ["q": "600", "w": "60"], ["q": "1000000000000", "w": "2678400"],
                    ["q": "20", "qu": "concurrent-requests"], ["q": "1", "w": "1"],
                ],
                [
                    ["r": "288", "t": "31"], ["r": "999999999999999", "t": "2678400"], ["r": "0"],
                    ["r": "0", "t": "0"],
                ],
            ])
    }
}
