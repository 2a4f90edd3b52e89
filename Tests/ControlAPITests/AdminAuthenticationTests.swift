import AuthKeys
import NIOHTTP1
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Admin authentication")
struct AdminAuthenticationTests {
    private let routes: [(HTTPMethod, String)] = [
        (.GET, "/admin/api/v1/auth-keys"), (.POST, "/admin/api/v1/auth-keys"),
        (.GET, "/admin/api/v1/auth-keys/0190163d-8694-739b-8b6e-c1e1b9f4a2d3"),
        (.POST, "/admin/api/v1/auth-keys/0190163d-8694-739b-8b6e-c1e1b9f4a2d3/deactivate"),
    ]

    @Test("each admin route refuses a request without the admin key, or with another key")
    func refused() async throws {
        try await ControlServer.with { server in
            let dataKey = try await server.service.create(KeyRequest(name: "n")).token.value
            for (method, path) in routes {
                let body = method == .POST ? #"{"name":"n"}"# : nil
                let missing = try await server.send(method, path, body: body, admin: nil)
                #expect(missing.status == 401 && missing.errorText("code") == "key_missing")
                #expect(missing.headers.first(name: "WWW-Authenticate") == "Bearer realm=\"keyward-admin\"")
                #expect(missing.headers.first(name: "Cache-Control") == "no-store")
                for wrong in [dataKey, "x", ControlServer.adminKey + "x", String(ControlServer.adminKey.dropLast())] {
                    let answer = try await server.send(method, path, body: body, admin: wrong)
                    #expect(answer.status == 401 && answer.errorText("code") == "key_unknown")
                    #expect(answer.headers.first(name: "WWW-Authenticate")?.contains("invalid_token") == true)
                    #expect(!answer.text.contains(wrong) || wrong == "x")
                }
            }
            #expect(try await server.store.list(KeyQuery()).count == 1)
        }
    }

    @Test("the admin key is accepted only as a bearer token in a single Authorization header")
    func headers() async throws {
        try await ControlServer.with { server in
            let path = routes[0].1
            let key = ControlServer.adminKey
            func status(_ suffix: String = "", admin: String? = nil, _ headers: (String, String)...) async throws -> Int
            {
                try await server.send(.GET, path + suffix, admin: admin, headers: headers).status
            }
            var statuses: [Int] = []
            for header in [
                ("X-API-Key", key), ("Authorization", "Basic \(key)"), ("Authorization", key),
                ("Authorization", "Bearer "),
            ] {
                statuses.append(try await status("", header))
            }
            statuses.append(try await status("?access_token=\(key)"))
            #expect(statuses == [401, 401, 401, 401, 401])
            let lowerCase = try await status("", ("authorization", "bEARER \(key)"))
            #expect(lowerCase == 200)
            let twice = try await status("", admin: key, ("Authorization", "Bearer \(key)"))
            #expect(twice == 400)
        }
    }

    @Test("an admin key has at least 32 characters")
    func length() {
        #expect(BootstrapKey(String(repeating: "a", count: 31)) == nil)
        #expect(BootstrapKey(String(repeating: "a", count: 32)) != nil)
    }
}
