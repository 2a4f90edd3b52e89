import AuthKeys
import Gateway
import Logging
import NIOCore
import RequestLog
import ServiceLifecycle
import TestSupport

/// A running gateway with one valid key.
struct GatewayHarness {
    let gateway: Gateway
    let port: Int
    let token: Token
    let keyID: KeyID
    let index: KeyIndex
    let freshness: IndexFreshness
    let store: InMemoryStore
    let usage: UsageRecorder
    let log: RequestLog
    let group: ServiceGroup

    /// The header with the valid key.
    var bearer: String { "Authorization: Bearer \(token.value)\r\n" }

    /// A GET with the valid key and more header lines, each with its CRLF.
    func get(_ path: String = "/", _ more: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: api.test\r\n\(bearer)\(more)\r\n"
    }

    /// Changes the state of the key, in a newer version.
    func apply(_ state: KeyEntry.State, expiresAt: Timestamp? = nil, policy: KeyPolicy = .none) {
        let version = index.withKey(for: token.digest) { $0.version } ?? 0
        index.apply(
            KeyEntry(
                digest: token.digest, keyID: keyID, version: version + 1, state: state, expiresAt: expiresAt,
                name: "test key", owner: nil, scopes: "", policy: policy))
    }

    /// The header with another valid key.
    func otherBearer() -> String {
        let token = Token.generate()
        index.apply(
            KeyEntry(
                digest: token.digest, keyID: .generate(), version: 1, state: .active, name: "other key", owner: nil,
                scopes: "", policy: .none))
        return "Authorization: Bearer \(token.value)\r\n"
    }

    /// Deactivates the key.
    func revoke() {
        apply(.deactivated)
    }

    /// Sends bytes on a new connection, and returns the first response.
    func exchange(_ request: String, toHead: Bool = false) async throws -> RawResponse {
        let client = try await connect(port: port)
        try await client.send(request)
        let response = try await client.response(toHead: toHead)
        await client.close()
        return response
    }
}

/// The differences of a harness from the defaults.
struct HarnessOptions {
    var keyName = "test key"
    var owner: String?
    var scopes = ""
    var policy = KeyPolicy.none
    var upstreamHost = "127.0.0.1"
    var basePath = ""
    var isServing = true
    var maxStaleness = Duration.seconds(3_600)
    var privacy = LogPrivacy()
    var attempts: FailedAttempts?
    var selfService: (any SelfService)?
    var limiter = Limiter()
    var logger = Logger(label: "gateway.tests", factory: { _ in SwiftLogNoOpLogHandler() })
    var configuration = {
        var configuration = GatewayConfiguration(routes: [])
        configuration.timeouts.drain = .seconds(2)
        return configuration
    }()

    /// A copy with a setting changed.
    func with<Value>(_ setting: WritableKeyPath<GatewayConfiguration, Value>, _ value: Value) -> HarnessOptions {
        var options = self
        options.configuration[keyPath: setting] = value
        return options
    }

    /// The defaults with a setting changed.
    static func with<Value>(_ setting: WritableKeyPath<GatewayConfiguration, Value>, _ value: Value) -> HarnessOptions {
        HarnessOptions().with(setting, value)
    }
}

/// Runs a gateway in front of an upstream for the duration of a call.
func withGateway<R>(
    upstream port: Int, options: HarnessOptions = HarnessOptions(),
    _ body: (GatewayHarness) async throws -> R
) async throws -> R {
    var configuration = options.configuration
    if configuration.routes.isEmpty {
        configuration.routes = [
            Route(upstreams: [Upstream(host: options.upstreamHost, port: port, basePath: options.basePath)])
        ]
    }
    configuration.port = 0
    let index = KeyIndex()
    let store = InMemoryStore()
    let token = Token.generate()
    let keyID = KeyID.generate()
    index.apply(
        KeyEntry(
            digest: token.digest, keyID: keyID, version: 1, state: .active, name: options.keyName, owner: options.owner,
            scopes: options.scopes, policy: options.policy))
    let freshness = IndexFreshness(maxStaleness: options.maxStaleness)
    if options.isServing { freshness.recordSync(startedAt: TimeSource.system.uptime()) }
    let verifier = KeyVerifier(
        index: index, freshness: freshness, lookup: UnknownKeyLookup(store: store, index: index),
        limiter: options.limiter)
    let usage = UsageRecorder(store: store, logger: options.logger)
    let log = RequestLog(privacy: options.privacy)
    let gateway = Gateway(
        configuration: configuration, verifier: verifier, attempts: options.attempts, usage: usage, log: log,
        selfService: options.selfService, logger: options.logger)
    let address = try await gateway.bind()
    let group = ServiceGroup(
        configuration: .init(
            services: [.init(service: gateway)], logger: Logger(label: "t") { _ in SwiftLogNoOpLogHandler() }))
    let harness = GatewayHarness(
        gateway: gateway, port: address.port ?? 0, token: token, keyID: keyID, index: index,
        freshness: freshness, store: store, usage: usage, log: log, group: group)
    return try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await group.run() }
        do {
            let result = try await body(harness)
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            return result
        } catch {
            await group.triggerGracefulShutdown()
            try? await tasks.waitForAll()
            throw error
        }
    }
}

/// Runs an upstream and a gateway in front of it for the duration of a call.
func withGateway<R>(
    before upstream: RawUpstream, options: HarnessOptions = HarnessOptions(),
    _ body: (GatewayHarness) async throws -> R
) async throws -> R {
    do {
        let result = try await withGateway(upstream: upstream.port, options: options, body)
        await upstream.close()
        return result
    } catch {
        await upstream.close()
        throw error
    }
}
