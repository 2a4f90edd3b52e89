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

    @Test("a request holds a slot until its response is sent, and gives it back if the app throws")
    func slots() async throws {
        let keyward = TestKeyward()
        let limit = try #require(LimitRule("at-a-time", .concurrent, limit: 1))
        let key = try keyward.issue(limits: [limit])
        let router = Router(context: AppContext.self)
        let (began, begin) = AsyncStream.makeStream(of: Void.self)
        let (mayEnd, end) = AsyncStream.makeStream(of: Void.self)
        router.add(middleware: keyward.keys())
        router.get("now") { _, _ in "now" }
        router.get("throws") { _, _ -> String in throw HTTPError(.conflict) }
        router.get("slow") { _, _ in
            Response(
                status: .ok,
                body: ResponseBody { writer in
                    begin.yield()
                    for await _ in mayEnd { break }
                    try await writer.finish(nil)
                })
        }
        let application = Application(responder: router.buildResponder(), logger: silent)
        try await application.test(.router) { client in
            func status(_ path: String) async throws -> HTTPResponse.Status {
                try await client.execute(uri: path, method: .get, headers: key.headers) { $0.status }
            }
            for _ in 0..<3 {
                #expect(try await status("/now") == .ok)
                #expect(try await status("/throws") == .conflict)
            }
            async let slow = status("/slow")
            for await _ in began { break }
            #expect(try await status("/now") == .tooManyRequests)
            end.yield()
            let first = try await slow
            #expect(first == .ok)
            #expect(try await status("/now") == .ok)
        }
    }
}
