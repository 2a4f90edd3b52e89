public import AuthKeys
public import HTTPCredentials
public import Hummingbird
import HummingbirdCore
public import KeyAdministration
import Listening
public import Logging
import NIOCore
public import RequestLog

/// The private listener: administration, verification, health and metrics. It belongs on an address that only operators
/// can reach.
public struct ControlAPI: Sendable {
    private let service: AuthKeyService
    private let administration: Administration
    private let searches: RequestSearches
    private let index: KeyIndex
    private let freshness: IndexFreshness
    private let writes: WriteAvailability
    private let instances: any InstanceStore
    private let metrics: PrometheusRegistry
    private let verifier: RequestVerifier
    private let attempts: FailedAttempts?
    private let log: RequestLog?
    private let proxies: [IPNetwork]
    private let limitFields: LimitFieldMode
    private let issuer: String
    private let importTimeouts: ImportTimeouts
    private let limits: ConnectionLimits
    /// The connections that are open.
    public let connections: OpenConnections
    private let computing: ComputeExecutor
    private let requestMetrics = RequestMetrics()

    /// - Parameters:
    ///   - verifier: decides about keys for callers of the verification routes.
    ///   - attempts: limits the attempts of each network to send an unknown admin key; nil for no limit.
    ///   - log: gets a line for each verification; nil for no log.
    ///   - issuer: the URL of this listener for clients of introspection, without a trailing slash.
    ///   - computing: runs long computations.
    ///   - limits: the limits of connections; bodies of imports have `importTimeouts` instead.
    ///   - proxies: the networks whose forwarded addresses are trusted, in addition to the calling proxy.
    ///   - limitFields: the responses of forward-auth that state the limits of the key.
    public init(
        service: AuthKeyService, administration: Administration, searches: RequestSearches, index: KeyIndex,
        freshness: IndexFreshness, writes: WriteAvailability = WriteAvailability(), instances: any InstanceStore,
        metrics: PrometheusRegistry, verifier: RequestVerifier, attempts: FailedAttempts? = nil,
        log: RequestLog? = nil, issuer: String, proxies: [IPNetwork] = [], limitFields: LimitFieldMode = .always,
        importTimeouts: ImportTimeouts = ImportTimeouts(), limits: ConnectionLimits = ConnectionLimits(),
        computing: ComputeExecutor = .shared
    ) {
        self.computing = computing
        metrics.gauge("keyward_control_compute_waiting") { [computing] in Double(computing.queueLength) }
        self.limits = limits
        connections = OpenConnections(limits: limits)
        metrics.gauge("keyward_control_connections") { [connections] in Double(connections.count) }
        self.importTimeouts = importTimeouts
        self.verifier = verifier
        self.attempts = attempts
        self.log = log
        self.issuer = issuer
        self.proxies = proxies
        self.limitFields = limitFields
        self.service = service
        self.administration = administration
        self.searches = searches
        self.index = index
        self.freshness = freshness
        self.writes = writes
        self.instances = instances
        self.metrics = metrics
    }

    /// Returns the server, which binds its address when it runs.
    /// - Parameter onBound: called with the port once the server listens.
    public func application(
        host: String, port: Int, logger: Logger, onBound: @escaping @Sendable (Int) async -> Void
    ) -> some ApplicationProtocol {
        let directRoutes: [any DirectRoute] = [forwardAuth, verify, introspection]
        let streamed = StreamedRoutes(of: adminRoutes)
        return Application(
            responder: router().buildResponder(),
            server: HTTPServerBuilder { responder in
                ControlChannel(
                    responder: responder, connections: connections, limits: limits, streamed: streamed
                ) { DirectAnswers(routes: directRoutes, metrics: requestMetrics, watch: $0) }
            },
            configuration: ApplicationConfiguration(address: .hostname(host, port: port)),
            onServerRunning: { channel in
                await guardAccepting(on: channel, logger: logger)
                await onBound(channel.localAddress?.port ?? port)
            },
            logger: logger)
    }

    private func guardAccepting(on channel: any Channel, logger: Logger) async {
        let limit = limits.descriptors
        // This fails if the listener was closed meanwhile; then it accepts no connections.
        try? await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.addHandler(
                AcceptGuard(limit: limit, listener: "control", logger: logger), position: .first)
        }.get()
    }

    func router() -> Router<ControlContext> {
        let routes = Router(context: ControlContext.self)
        addRoutes(to: routes)
        let router = Router(context: ControlContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: requestMetrics)
        router.add(middleware: UnreadBody())
        router.add(middleware: ResponseGuard(methods: RouteMethods(of: routes)))
        router.add(middleware: forwardAuth)
        router.add(middleware: TargetCheck())
        router.add(middleware: BodyLimit(streamed: StreamedRoutes(of: adminRoutes)))
        addRoutes(to: router)
        return router
    }

    private func addRoutes(to router: Router<ControlContext>) {
        HealthRoutes(freshness: freshness, index: index, writes: writes, startedAt: ProcessMetrics.startedAt).add(
            to: router)
        MetricsRoute(registry: metrics, computing: computing).add(to: router)
        OpenAPIRoute().add(to: router)
        ReferenceRoute(computing: computing).add(to: router)
        verify.add(to: router)
        introspection.add(to: router)
        UnkeyVerifyRoutes(verifier: verifier(for: .unkey), service: service, authenticator: verifyAuthenticator).add(
            to: router)
        let authenticator = AdminAuthenticator(
            credentials: administration.credentials, refusals: administration.refusals, attempts: attempts,
            computing: computing)
        for group in adminRoutes { authenticator.add(group, to: router) }
    }

    private var verifyAuthenticator: VerifyAuthenticator {
        VerifyAuthenticator(
            credentials: administration.credentials, refusals: administration.refusals, attempts: attempts,
            computing: computing)
    }
    /// Returns the verifier of an entry point, whose decisions are logged.
    private func verifier(for surface: RequestSurface) -> RequestVerifier {
        verifier.recording(to: log.map { SurfaceRecorder(log: $0, surface: surface) })
    }

    private var forwardAuth: ForwardAuth {
        ForwardAuth(verifier: verifier(for: .forwardAuth), proxies: proxies, limitFields: limitFields)
    }
    private var verify: VerifyRoutes {
        VerifyRoutes(verifier: verifier(for: .verify), authenticator: verifyAuthenticator)
    }
    private var introspection: IntrospectionRoutes {
        IntrospectionRoutes(
            verifier: verifier(for: .introspection), authenticator: verifyAuthenticator, issuer: issuer)
    }

    var adminRoutes: [any AdminRoutes] {
        [
            AuthKeyRoutes(service: service), ImportRoute(service: service, timeouts: importTimeouts),
            ExportRoute(service: service), AdminKeyRoutes(service: administration.keys),
            AuditRoutes(trail: administration.trail), RequestRoutes(searches: searches),
            StatisticsRoutes(service: service, searches: searches),
            InstanceRoutes(service: service, instances: instances),
            KeyLimitRoutes(service: service), PlanRoutes(service: service), OwnerLimitRoutes(service: service),
            UnkeyKeyRoutes(service: service),
        ]
    }
}
