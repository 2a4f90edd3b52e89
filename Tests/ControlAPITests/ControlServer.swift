import AsyncHTTPClient
import AuthKeys
import Foundation
import HTTPCredentials
import Hummingbird
import KeyAdministration
import Logging
import NIOCore
import NIOHTTP1
import RequestLog
import Synchronization
import TestSupport

@testable import ControlAPI

/// A control listener on a free port, with the in-memory store.
struct ControlServer: Sendable {
    static let issuer = "https://keys.test"
    static let adminKey = "admin-key-of-these-tests-0123456789abcdef"

    let api: ControlAPI
    let url: String
    let port: Int
    let store: InMemoryStore
    let log: InMemoryRequestLog
    let index: KeyIndex
    let freshness: IndexFreshness
    let writes: WriteAvailability
    let instances: InMemoryInstances
    let metrics: PrometheusRegistry
    let service: AuthKeyService
    let administration: Administration
    let usage: UsageRecorder
    let requestLog: RequestLog

    struct Answer: Sendable {
        let status: Int
        let headers: HTTPHeaders
        let text: String

        var json: Any? { try? JSONSerialization.jsonObject(with: Data(text.utf8)) }
        var object: [String: Any] { json as? [String: Any] ?? [:] }
        var objects: [[String: Any]] { json as? [[String: Any]] ?? [] }
        var error: [String: Any] { object["error"] as? [String: Any] ?? [:] }
        func errorText(_ member: String) -> String? { error[member] as? String }
    }

    static func with(
        lifetimes: KeyLifetimes = KeyLifetimes(), rules: ScopeRules = ScopeRules(), proxies: [IPNetwork] = [],
        hasBootstrapKey: Bool = true, importTimeouts: ImportTimeouts = ImportTimeouts(),
        limits: ConnectionLimits = ConnectionLimits(), computing: ComputeExecutor = .shared, log: LogLines = LogLines(),
        attempts: FailedAttempts? = nil, adminAttempts: FailedAttempts? = nil,
        _ body: @escaping @Sendable (ControlServer) async throws -> Void
    ) async throws {
        let store = InMemoryStore()
        let requests = InMemoryRequestLog()
        let index = KeyIndex()
        let freshness = IndexFreshness(maxStaleness: .seconds(3_600))
        let writes = WriteAvailability()
        let instances = InMemoryInstances()
        let metrics = PrometheusRegistry()
        let logger = Logger(label: "test") { _ in log.handler }
        let administration = Administration(
            store: store, bootstrap: hasBootstrapKey ? BootstrapKey(adminKey) : nil, logger: logger)
        let usage = UsageRecorder(store: store, logger: logger)
        let service = AuthKeyService(store: store, index: index, lifetimes: lifetimes, usage: usage)
        let verifier = KeyVerifier(
            index: index, freshness: freshness, lookup: UnknownKeyLookup(store: store, index: index))
        let requestLog = RequestLog()
        let api = ControlAPI(
            service: service, administration: administration,
            searches: RequestSearches(log: requests, trail: store), index: index, freshness: freshness, writes: writes,
            instances: instances, metrics: metrics,
            verifier: RequestVerifier(
                verifier: verifier, rules: rules, passesPreflights: true, attempts: attempts, usage: usage),
            attempts: adminAttempts, log: requestLog, issuer: Self.issuer, proxies: proxies,
            importTimeouts: importTimeouts, limits: limits, computing: computing)
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        let application = api.application(
            host: "127.0.0.1", port: 0, logger: logger
        ) { port in continuation.yield(port) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            var iterator = ports.makeAsyncIterator()
            guard let port = await iterator.next() else { throw HTTPError(.internalServerError) }
            freshness.recordSync(startedAt: .zero)
            try await body(
                ControlServer(
                    api: api, url: "http://127.0.0.1:\(port)", port: port, store: store, log: requests, index: index,
                    freshness: freshness, writes: writes, instances: instances,
                    metrics: metrics, service: service, administration: administration, usage: usage,
                    requestLog: requestLog))
            group.cancelAll()
        }
    }

    func send(
        _ method: HTTPMethod, _ path: String, body: String? = nil, bytes: ByteBuffer? = nil,
        admin: String? = adminKey, headers: [(String, String)] = []
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: url + path)
        request.method = method
        if let admin { request.headers.add(name: "Authorization", value: "Bearer \(admin)") }
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let bytes = bytes ?? body.map({ ByteBuffer(string: $0) }) { request.body = .bytes(bytes) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(20))
        let text = String(buffer: try await response.body.collect(upTo: 64 * 1024 * 1024))
        return Answer(status: Int(response.status.code), headers: response.headers, text: text)
    }

    /// Puts a key with limits into the index.
    func limitedKey(_ limits: [LimitRule], owner: String? = nil, reportOnly: [String] = []) -> (
        id: KeyID, token: String
    ) {
        let (token, id) = (Token.generate(), KeyID.generate())
        let attributes = KeyAttributes(name: "limited", owner: owner, limits: limits, reportOnly: reportOnly)
        index.apply(attributes.entry(of: token.digest, id: id, version: 1))
        return (id, token.value)
    }

    /// A limit of so many requests in an hour.
    static func hourly(_ name: String = "hour", _ limit: Int64 = 2, isAsked: Bool = false) throws -> LimitRule {
        guard let rule = LimitRule(name, .rate(period: .seconds(3_600), burst: limit), limit: limit, isAsked: isAsked)
        else { throw HTTPError(.badRequest) }
        return rule
    }

    func create(
        _ body: String, admin: String? = adminKey, headers: [(String, String)] = []
    ) async throws -> Answer {
        try await send(.POST, "/admin/api/v1/auth-keys", body: body, admin: admin, headers: headers)
    }
}
