public import AuthKeys
public import Hummingbird
public import Logging
import NIOCore

/// The private listener: administration, health and metrics. It is no part of anybody's API and belongs on an address that
/// only operators reach.
public struct ControlAPI: Sendable {
    /// The largest request body in bytes.
    static let bodyLimit = 64 * 1024

    /// Paths whose bodies are read as they come.
    private static let streamed: Set = [ImportRoute.path]

    private let service: AuthKeyService
    private let administration: Administration
    private let index: KeyIndex
    private let freshness: IndexFreshness
    private let writes: WriteAvailability
    private let metrics: PrometheusRegistry
    private let verifier: RequestVerifier
    private let proxies: [IPNetwork]
    private let issuer: String
    private let importPatience: ImportPatience
    private let requestPatience: Duration
    private let time: TimeSource
    private let requestMetrics = RequestMetrics()
    /// For how long a connection may be idle.
    private static let idleTimeout = Duration.seconds(60)

    /// - Parameters:
    ///   - verifier: decides for those who ask about keys.
    ///   - issuer: the URL of this listener, without a slash at its end, as clients of introspection know it.
    ///   - requestPatience: how long the body of a request may take to come; those of imports have `importPatience`.
    ///   - proxies: whose word about a client's address is believed, beside the proxy that asks.
    public init(
        service: AuthKeyService, administration: Administration, index: KeyIndex, freshness: IndexFreshness,
        writes: WriteAvailability = WriteAvailability(), metrics: PrometheusRegistry, verifier: RequestVerifier,
        issuer: String, proxies: [IPNetwork] = [],
        importPatience: ImportPatience = ImportPatience(), requestPatience: Duration = .seconds(60),
        time: TimeSource = .system
    ) {
        self.requestPatience = requestPatience
        self.importPatience = importPatience
        self.verifier = verifier
        self.issuer = issuer
        self.proxies = proxies
        self.service = service
        self.administration = administration
        self.index = index
        self.freshness = freshness
        self.writes = writes
        self.metrics = metrics
        self.time = time
    }

    /// The server, bound when it runs.
    /// - Parameters:
    ///   - connections: keeps those that are open: whoever shuts down may close them.
    ///   - onBound: called with the port once it is listening.
    public func application(
        host: String, port: Int, logger: Logger, connections: OpenConnections = OpenConnections(),
        onBound: @escaping @Sendable (Int) async -> Void
    ) -> some ApplicationProtocol {
        let directRoutes: [any DirectRoute] = [forwardAuth, verify, introspection]
        return Application(
            responder: router().buildResponder(),
            server: .http1(
                configuration: .init(
                    additionalChannelHandlers: [
                        RequestDeadline(connections: connections, limit: requestPatience, streamed: Self.streamed),
                        DirectAnswers(routes: directRoutes, metrics: requestMetrics, idleTimeout: Self.idleTimeout),
                    ],
                    idleTimeout: TimeAmount(Self.idleTimeout))),
            configuration: ApplicationConfiguration(address: .hostname(host, port: port)),
            onServerRunning: { await onBound($0.localAddress?.port ?? port) },
            logger: logger)
    }

    func router() -> Router<ControlContext> {
        let routes = Router(context: ControlContext.self)
        addRoutes(to: routes)
        let router = Router(context: ControlContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: requestMetrics)
        router.add(middleware: UnreadBody())
        router.add(middleware: ResponseGuard(methods: RouteMethods(of: routes)))
        router.add(middleware: forwardAuth)
        router.add(middleware: BodyLimit(limit: Self.bodyLimit, streamed: Self.streamed))
        addRoutes(to: router)
        return router
    }

    private func addRoutes(to router: Router<ControlContext>) {
        HealthRoutes(freshness: freshness, index: index, writes: writes).add(to: router)
        MetricsRoute(registry: metrics).add(to: router)
        OpenAPIRoute().add(to: router)
        ReferenceRoute().add(to: router)
        verify.add(to: router)
        introspection.add(to: router)
        UnkeyVerifyRoutes(verifier: verifier, service: service, door: verifyDoor).add(to: router)
        let door = AdminDoor(credentials: administration.credentials, refusals: administration.refusals)
        for group in adminRoutes { door.add(group, to: router) }
    }

    private var verifyDoor: VerifyDoor {
        VerifyDoor(credentials: administration.credentials, refusals: administration.refusals)
    }
    private var forwardAuth: ForwardAuth { ForwardAuth(verifier: verifier, proxies: proxies) }
    private var verify: VerifyRoutes { VerifyRoutes(verifier: verifier, door: verifyDoor) }
    private var introspection: IntrospectionRoutes {
        IntrospectionRoutes(verifier: verifier, door: verifyDoor, issuer: issuer)
    }

    var adminRoutes: [any AdminRoutes] {
        [
            AuthKeyRoutes(service: service, time: time), ImportRoute(service: service, patience: importPatience),
            ExportRoute(service: service, time: time), AdminKeyRoutes(service: administration.keys, time: time),
            AuditRoutes(trail: administration.trail), InstanceRoutes(service: service),
            UnkeyKeyRoutes(service: service),
        ]
    }
}
