import Foundation
import Hummingbird
import HummingbirdTesting
import KeywardMiddleware
import Logging
import NIOCore
import NIOHTTP1
import TestSupport
import Testing

/// Runs the same cases at every entry point: the gateway, forward-auth, verify, introspection, and the middleware in
/// its own app. The servers and their database are real.
@Suite("Decisions at all entry points")
struct DecisionTests {
    @Test(
        "keys in every state and with every restriction get the same verdict at every entry point",
        .timeLimit(.minutes(5)))
    func keys() async throws {
        try await EntryPoints.open { entryPoints, database in
            var tokens: [String] = []
            for key in KeyCase.all {
                let issued = try await entryPoints.keyward.create(key.name, key.members)
                tokens.append(issued.value)
                switch key.ending {
                case .none: break
                case .deactivated: _ = try await entryPoints.keyward.admin(.POST, "/\(issued.id)/deactivate")
                case .expired:
                    try await Psql.run(
                        "UPDATE auth_keys SET expires_at = now() - interval '1 second' WHERE id = '\(issued.id)'",
                        on: database)
                }
            }
            let inactive = zip(KeyCase.all, tokens).filter { $0.0.ending != .none }.map(\.1)
            try await entryPoints.settle(known: tokens, inactive: inactive)
            for (key, token) in zip(KeyCase.all, tokens) {
                for (call, verdict) in zip(Call.all, key.verdicts) {
                    let name = "\(key.name): \(call.method) \(call.path) from \(call.client)"
                    try await entryPoints.expect(
                        verdict, name, call, fields: [("Authorization", "Bearer \(token)")], asked: token)
                }
            }
            let metrics = try await entryPoints.keyward.send(.GET, entryPoints.keyward.control + "/metrics", key: nil)
                .text
            for route in ["/v1/forward-auth", "/v1/verify", "/v1/introspect"] {
                let counts = metrics.split(separator: "\n").filter {
                    $0.hasPrefix("keyward_control_requests_total{") && $0.contains("\"\(route)\"")
                }
                let sum = counts.compactMap { Int($0.split(separator: " ").last ?? "") }.reduce(0, +)
                #expect(sum == KeyCase.all.count * Call.all.count, "\(route)")
            }
        }
    }

    @Test("credentials of every kind get the same verdict at every entry point", .timeLimit(.minutes(5)))
    func credentials() async throws {
        try await EntryPoints.open { entryPoints, _ in
            let (id, first) = try await entryPoints.keyward.create("rotated")
            func rotate() async throws -> String {
                let answer = try await entryPoints.keyward.admin(.POST, "/\(id)/rotate")
                return try #require(answer.object["value"] as? String, "\(answer.text)")
            }
            let second = try await rotate()
            let cut = try await entryPoints.keyward.admin(.DELETE, "/\(id)/previous-secret")
            #expect(cut.status == 204)
            let third = try await rotate()
            try await entryPoints.settle(known: [third, second], inactive: [first])
            let unknown = try await entryPoints.keyward.create("deleted")
            _ = try await entryPoints.keyward.admin(.POST, "/\(unknown.id)/deactivate")
            _ = try await entryPoints.keyward.admin(.DELETE, "/\(unknown.id)")
            try await entryPoints.settle(inactive: [unknown.value])
            for credential in CredentialCase.all(
                valid: third, replaced: second, expired: first, unknown: unknown.value)
            {
                try await entryPoints.expect(
                    credential.verdict, credential.name, .post, fields: credential.fields, asked: credential.token)
            }
        }
    }
}

extension DecisionTests {
    /// The gateway, forward-auth, verify and Unkey's API are entry points of one instance, and share its limits.
    @Test("a key with a rate limit is refused at every entry point once its units are taken", .timeLimit(.minutes(5)))
    func limits() async throws {
        try await EntryPoints.open { entryPoints, _ in
            let limit = #","limits":[{"name":"hour","limit":4,"per":"1h"}],"scopes":["documents:*"]"#
            let key = try await entryPoints.keyward.create("limited", limit)
            let free = try await entryPoints.keyward.create("free", #","scopes":["documents:*"]"#)
            try await entryPoints.settle(known: [free.value])
            let bearer = [("Authorization", "Bearer \(key.value)")]
            // Introspection and explanations take nothing.
            for _ in 0..<5 { #expect(try await entryPoints.isActive(key.value)) }
            let explained = try await entryPoints.keyward.admin(.GET, "/\(key.id)/explain?method=POST&path=/v1/things")
            let step = (explained.object["decision"] as? [[String: Any]])?.last
            #expect(step?["rule"] as? String == "limits.hour" && step?["remaining"] as? Int == 4, "\(explained.text)")
            // Each of the others takes one unit.
            #expect(try await entryPoints.statuses(of: bearer, token: key.value) == [200, 200, 200, 200])
            #expect(try await entryPoints.statuses(of: bearer, token: key.value) == [429, 429, 429, 429])
            #expect(try await entryPoints.isActive(key.value))
        }
    }
}

/// All entry points to one set of keys.
struct EntryPoints: Sendable {
    let keyward: KeywardProcess
    /// The base URL of an app with the middleware.
    let app: String

    private static let clientProxies = "127.0.0.0/8"

    static func open(_ body: @escaping @Sendable (EntryPoints, _ database: String) async throws -> Void) async throws {
        let database = try await TestDatabase.create()
        let keyward = try await KeywardProcess.start(
            database: database.connectionString,
            arguments: ["--trusted-proxies", clientProxies, "--require", Call.rules.joined(separator: ",")])
        let logger = Logger(label: "app") { _ in SwiftLogNoOpLogHandler() }
        let verification = try Keyward(
            database: database.connectionString,
            options: KeywardOptions(require: Call.rules, trustedProxies: [clientProxies]), logger: logger)
        let router = Router(context: PeerContext.self)
        let routes = router.group().add(middleware: verification.keys())
        for method in [HTTPRequest.Method.get, .post, .delete] {
            routes.on("**", method: method) { _, context in context.principal?.name ?? "" }
        }
        var application = Application(router: router, services: [verification], logger: logger)
        application.beforeServerStarts { try await verification.ready() }
        try await application.test(.live) { client in
            let port = try #require(client.port)
            try await body(EntryPoints(keyward: keyward, app: "http://127.0.0.1:\(port)"), database.connectionString)
        }
        #expect(try await keyward.stop() == 0)
        try await database.drop()
    }

    /// Waits until both entry points with their own index know these keys, and admit none of those in `inactive`.
    func settle(known: [String] = [], inactive: [String] = []) async throws {
        func answers(_ base: String, _ token: String) async throws -> String? {
            let answer = try await send("GET", base + "/any", [("Authorization", "Bearer \(token)")])
            return answer.status == 200 ? "admitted" : answer.code
        }
        for token in known + inactive {
            let isSettled = try await eventually {
                let (atGateway, inApp) = try await (answers(keyward.gateway, token), answers(app, token))
                return atGateway == inApp && !(inactive.contains(token) && atGateway == "admitted")
            }
            #expect(isSettled)
        }
    }

    /// - Parameter asked: the token that services ask about; nil if the case depends on the request's fields.
    func expect(
        _ verdict: Verdict, _ name: String, _ call: Call, fields: [(String, String)], asked: String?,
        at location: SourceLocation = #_sourceLocation
    ) async throws {
        let from = fields + [("X-Forwarded-For", call.client)]
        for (entryPoint, base) in [("gateway", keyward.gateway), ("middleware", app)] {
            let answer = try await send(call.method, base + call.path, from)
            let code = answer.status == 200 ? "admitted" : answer.code
            #expect(code == verdict.rawValue, "\(entryPoint), \(name)", sourceLocation: location)
            #expect(answer.status == verdict.status, "\(entryPoint), \(name)", sourceLocation: location)
        }
        let request = from + [("X-Forwarded-Method", call.method), ("X-Forwarded-Uri", call.path)]
        let forwarded = try await send("GET", keyward.control + "/v1/forward-auth", request)
        let forwardedCode = forwarded.status == 200 ? "admitted" : forwarded.code
        #expect(forwardedCode == verdict.rawValue, "forward-auth, \(name)", sourceLocation: location)
        #expect(forwarded.status == (verdict.status == 400 ? 403 : verdict.status), "\(name)", sourceLocation: location)

        guard let asked else { return }
        let admin = ("Authorization", "Bearer \(keyward.adminKey)")
        let question = try JSONSerialization.data(
            withJSONObject: ["key": asked, "method": call.method, "path": call.path, "ip": call.client])
        let verified = try await send(
            "POST", keyward.control + "/v1/verify", [admin], body: String(decoding: question, as: UTF8.self))
        let code = verified.object["code"] as? String ?? ""
        #expect(verdict.verifyCodes.contains(code), "verify, \(name): \(code)", sourceLocation: location)
        #expect(verified.object["status"] as? Int == verdict.status, "verify, \(name)", sourceLocation: location)
        #expect(
            verified.object["valid"] as? Bool == (verdict == .admitted), "verify, \(name)", sourceLocation: location)

        let form = ["token": asked, "method": call.method, "path": call.path, "ip": call.client]
            .map { "\($0.key)=\($0.value.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")" }
        let introspected = try await send(
            "POST", keyward.control + "/v1/introspect",
            [admin, ("Content-Type", "application/x-www-form-urlencoded")], body: form.joined(separator: "&"))
        let isActive = introspected.object["active"] as? Bool
        #expect(isActive == (verdict == .admitted), "introspection, \(name)", sourceLocation: location)
    }

    /// Sends a request to each entry point of the instance that takes units. Returns the statuses that the client would
    /// get: of the gateway, forward-auth, verify and Unkey's API.
    func statuses(of fields: [(String, String)], token: String) async throws -> [Int] {
        let admin = ("Authorization", "Bearer \(keyward.adminKey)")
        let described = [("X-Forwarded-Method", "POST"), ("X-Forwarded-Uri", "/v1/things")]
        let atGateway = try await send("POST", keyward.gateway + "/v1/things", fields)
        let forwarded = try await send("GET", keyward.control + "/v1/forward-auth", fields + described)
        let verified = try await send(
            "POST", keyward.control + "/v1/verify", [admin],
            body: #"{"key":"\#(token)","method":"POST","path":"/v1/things"}"#)
        let unkey = try await send(
            "POST", keyward.control + "/v2/keys.verifyKey", [admin], body: #"{"key":"\#(token)"}"#)
        let code = (unkey.object["data"] as? [String: Any])?["code"] as? String
        return [
            atGateway.status, forwarded.status, verified.object["status"] as? Int ?? 0,
            code == "VALID" ? 200 : code == "RATE_LIMITED" ? 429 : 0,
        ]
    }

    func isActive(_ token: String) async throws -> Bool {
        let answer = try await send(
            "POST", keyward.control + "/v1/introspect",
            [
                ("Authorization", "Bearer \(keyward.adminKey)"),
                ("Content-Type", "application/x-www-form-urlencoded"),
            ], body: "token=\(token)&method=POST&path=/v1/things")
        return answer.object["active"] as? Bool ?? false
    }

    private func send(
        _ method: String, _ url: String, _ fields: [(String, String)], body: String? = nil
    ) async throws -> KeywardProcess.Answer {
        try await keyward.send(HTTPMethod(rawValue: method), url, key: nil, fields: fields, body: body)
    }
}

/// A context that knows the address of the peer.
private struct PeerContext: KeyedRequestContext, RemoteAddressRequestContext {
    var coreContext: CoreRequestContextStorage
    var principal: Principal?
    let remoteAddress: SocketAddress?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        remoteAddress = source.channel.remoteAddress
    }
}
