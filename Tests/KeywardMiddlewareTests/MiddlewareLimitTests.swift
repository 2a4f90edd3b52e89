import AuthKeys
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import KeywardMiddlewareTesting
import TestSupport
import Testing

@Suite("Limits in the middleware")
struct MiddlewareLimitTests {
    @Test("a request takes one unit however many middlewares it passes, and responses state what is left")
    func limited() async throws {
        let keyward = TestKeyward()
        let limit = try #require(LimitRule("hour", .rate(period: .seconds(3_600), burst: 2), limit: 2))
        let key = try keyward.issue(limits: [limit])
        let router = Router(context: AppContext.self)
        router.add(middleware: keyward.keys())
        router.group("inner").add(middleware: keyward.keys()).get("a") { _, _ in "a" }
        let application = Application(responder: router.buildResponder(), logger: silent)
        let (policy, state) = (
            try #require(HTTPField.Name("RateLimit-Policy")), try #require(HTTPField.Name("RateLimit"))
        )
        try await application.test(.router) { client in
            for left in [1, 0] {
                try await client.execute(uri: "/inner/a", method: .get, headers: key.headers) { response in
                    #expect(response.status == .ok && response.headers[values: policy] == [#""hour";q=2;w=3600"#])
                    #expect(response.headers[state]?.hasPrefix(#""hour";r=\#(left);t="#) == true)
                }
            }
            try await client.execute(uri: "/inner/a", method: .get, headers: key.headers) { response in
                #expect(response.status == .tooManyRequests && response.headers[values: policy].count == 1)
                #expect(response.headers[.retryAfter].flatMap { Int($0) } ?? 0 > 1_700)
                let body = String(buffer: response.body)
                #expect(body.contains(#""code":"rate_limited""#) && body.contains("'hour'"))
            }
            keyward.advance(by: .seconds(1_900))
            try await client.execute(uri: "/inner/a", method: .get, headers: key.headers) { response in
                #expect(response.status == .ok)
            }
        }
    }
}
