import AuthKeys
import AuthKeysPostgres
import ControlAPI
import EmbeddedPostgres
import Gateway
import HTTPCredentials
import KeyAdministration
import KeyAdministrationPostgres
import LibPQ
import Logging
import Metrics
import NIOCore
import RequestLog
import RequestLogPostgres
import ServiceLifecycle

/// One running Keyward. It migrates the database, loads the keys and listens. Shutdown releases everything in reverse
/// order.
struct Instance: Service {
    /// The addresses of the bound listeners.
    struct Listening: Sendable {
        let gateway: ListenAddress
        let control: ListenAddress
    }

    let settings: Settings
    let metrics: PrometheusRegistry
    let logger: Logger
    /// Called when both listeners are bound.
    let onListening: @Sendable (Listening, StartReport) -> Void

    func run() async throws {
        let database = try await Database.open(settings, logger: logger)
        do {
            try await run(on: database)
        } catch {
            await database.embedded?.stop()
            guard Task.isShuttingDownGracefully else { throw error }
            logger.notice("shutdown interrupted running work", metadata: ["error": "\(error)"])
            return
        }
        await database.embedded?.stop()
    }

    private func run(on database: Database) async throws {
        let migrated = try await cancelWhenGracefulShutdown {
            try await LockWatch(target: database.direct, logger: logger).watching {
                try await database.migrate(waiting: settings.databaseWait, logger: logger)
            }
        }
        // If `listenDatabase` is set, `database` leads to a pooler.
        let verification = PostgresVerification(
            target: database.target, direct: settings.listenDatabase, maxStaleness: settings.maxStaleness,
            usageInterval: settings.usageInterval, reconciliation: settings.reconcileInterval, writesBack: true,
            limits: settings.limits, logger: logger)
        try await verification.withConnections {
            try await serve(from: database, verification: verification, migrated: migrated.count)
        }
    }

    private func serve(
        from database: Database, verification: PostgresVerification, migrated: Int
    ) async throws {
        let (bootstrap, adminKeyPath) = try bootstrap(isPrivate: database.embedded != nil)
        let (feed, store) = (verification.feed, PostgresAuthKeyStore(feed: verification.feed))
        let administration = Administration(
            store: store, bootstrap: bootstrap, maxStaleness: settings.maxStaleness, logger: logger)
        let watermark = try await cancelWhenGracefulShutdown {
            try await LockWatch(target: database.direct, logger: logger).watching {
                try await feed.adoptRestoredRows()
                if bootstrap == nil { try await checkAdministrators(administration.credentials) }
                return try await verification.load()
            }
        }
        let (index, freshness) = (verification.index, verification.freshness)
        let (verifier, usage) = (verification.verifier, verification.usage)
        Self.observe(verification, in: metrics)

        let echo = settings.gateway.routes.isEmpty ? EchoUpstream() : nil
        let (gatewayConfiguration, connectionLimits) = try await limits(echo: echo)
        let name = BoundInstanceName()
        let logDatabase = RequestLogDatabase(
            target: database.target, isPooled: settings.listenDatabase != nil, instance: name.text,
            retention: settings.requestLog.retention, writers: settings.requestLog.writers, logger: logger)
        let log = settings.requestLog.makeLog(logDatabase.traffic, schemes: index.schemes)
        if let traffic = log?.traffic { verification.heartbeat.addFigures { traffic.live.figures() } }
        let service = AuthKeyService(
            store: store, index: index, lifetimes: settings.lifetimes, rules: settings.gateway.scopes, usage: usage,
            limits: verification.limitSync)
        let (attempts, adminAttempts) = failedAttempts()
        let gateway = Gateway(
            configuration: gatewayConfiguration, verifier: verifier, attempts: attempts, usage: usage, log: log,
            selfService: HolderService(service, logger: logger), logger: logger)
        let gatewayAddress = try await bind(gateway)
        let identity = InstanceIdentity(
            id: verification.instanceID,
            name: settings.instanceName ?? InstanceName(onThisHostWith: "\(gatewayAddress.port)"), kind: .serve)
        name.set(identity.name)
        let accessLog = try accessLog(of: log, identity)
        if settings.isIssuerUnreachable {
            logger.warning(
                "clients of introspection cannot reach the control listener by its issuer: set \(Setting.issuer.environment)",
                metadata: ["issuer": "\(settings.issuer)"])
        }
        let control = ControlAPI(
            service: service, administration: administration, searches: RequestSearches(log: store, trail: store),
            index: index,
            freshness: freshness, writes: feed.writes, instances: verification.instances, metrics: metrics,
            verifier: RequestVerifier(
                verifier: verifier, places: settings.gateway.credentials, rules: settings.gateway.scopes,
                passesPreflights: settings.gateway.passesPreflights, attempts: attempts, usage: usage),
            attempts: adminAttempts, log: log, issuer: settings.issuer, proxies: settings.gateway.trustedProxies,
            limitFields: settings.gateway.limitFields, limits: connectionLimits)
        let report = StartReport(
            identity: identity, migrated: migrated, keys: index.count, isPrivate: database.embedded != nil,
            adminKeyPath: adminKeyPath,
            isEcho: echo != nil, isSecure: settings.gateway.certificate != nil)
        let listener = ControlListener(
            api: control, address: settings.control, drain: settings.gateway.timeouts.drain, logger: logger
        ) { port in
            onListening(
                Listening(gateway: gatewayAddress, control: ListenAddress(host: settings.control.host, port: port)),
                report)
        }
        var services: [any Service] = [
            RunsUntilShutdown { await verification.follow(from: watermark, as: identity) },
            RunsUntilShutdown { await feed.monitorWrites() },
            RunsUntilShutdown { await Self.prune(store, logger: logger) },
            RunsUntilShutdown { await Self.mark(feed, logger: logger) },
            RunsUntilShutdown { await administration.credentials.run() },
            RunsUntilShutdown { await AuditSealer(trail: store, logger: logger).run() },
        ]
        if let log {
            // Before the listeners in the list, so that it stops after them.
            services.append(
                RequestLogService(
                    log: log, accessLog: accessLog, database: logDatabase, drain: settings.gateway.timeouts.drain,
                    metrics: metrics))
        }
        if let accessLog { services.append(AccessLogReopening(accessLog: accessLog)) }
        if let embedded = database.embedded { services.insert(EmbeddedWatch(embedded: embedded), at: 0) }
        if let echo { services.append(echo) }
        services += [gateway, listener]
        if !settings.endsWithTerminal {
            services.append(
                Reload(
                    gateway: gateway, keyFile: settings.gateway.certificate?.key,
                    resync: { verification.resync(.resync) }, logger: logger))
        }
        do {
            try await ServiceGroup(configuration: .init(services: services, endingInOrder: logger)).run()
        } catch {
            await administration.refusals.close()
            await verification.end()
            throw error
        }
        await administration.refusals.close()
        await verification.end()
    }

    /// Returns the limits of failed attempts with keys, which all entry points share, and with admin keys.
    private func failedAttempts() -> (keys: FailedAttempts?, adminKeys: FailedAttempts?) {
        guard let rate = settings.failedAttempts else { return (nil, nil) }
        let keys = FailedAttempts(rate, of: .keys, logger: logger)
        // Few networks reach the control listener.
        let adminKeys = FailedAttempts(rate, of: .adminKeys, capacity: 4_096, logger: logger)
        metrics.gauge("keyward_failed_attempts_networks") { Double(keys.exceededCount + adminKeys.exceededCount) }
        return (keys, adminKeys)
    }

    /// Opens the access log, if there is one.
    private func accessLog(of log: RequestLog?, _ identity: InstanceIdentity) throws -> AccessLog? {
        guard let destination = settings.requestLog.accessLog, let log, let queue = log.access else { return nil }
        do {
            return try AccessLog(destination, of: log, queue: queue, instance: identity.name, logger: logger)
        } catch {
            throw SettingsError(Setting.accessLog, cannot: "cannot open \(error.path): \(error.reason)")
        }
    }

    /// Removes old rows from the database every hour, until shutdown.
    private static func prune(_ store: PostgresAuthKeyStore, logger: Logger) async {
        while (try? await Task.sleep(for: .seconds(3_600))) != nil {
            do throws(StoreError) {
                try await store.prune()
            } catch {
                logger.debug("old rows could not be removed", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Writes a mark to the database every 20 seconds, until shutdown. By the marks, instances detect a database whose
    /// history was replaced, such as by a restore.
    private static func mark(_ feed: PostgresKeyFeed, logger: Logger) async {
        repeat {
            do throws(StoreError) {
                try await feed.mark()
            } catch {
                logger.debug("a mark could not be written to the database", metadata: ["error": "\(error)"])
            }
        } while (try? await Task.sleep(for: .seconds(20))) != nil
    }

    /// Checks, if no admin key is set, that the database holds an active one with the permission `admin`.
    private func checkAdministrators(_ credentials: AdminCredentials) async throws {
        guard try await credentials.reach() == .none else { return }
        throw SettingsError.adminKeyRequired
    }

    private func bootstrap(isPrivate: Bool) throws -> (key: BootstrapKey?, path: String?) {
        if let key = settings.adminKey { return (key, nil) }
        guard isPrivate else { return (nil, nil) }
        let text: String
        let path: String
        let warning: String?
        do {
            (text, path, warning) = try AdminKeyFile.readOrCreate(in: settings.dataDirectory)
        } catch let refusal as SecretFile.Refusal {
            throw SettingsError(Setting.dataDirectory, cannot: "\(refusal)")
        }
        SecretFile.log(warning.map { [$0] } ?? [], to: logger)
        guard let key = BootstrapKey(text) else {
            throw SettingsError(Setting.adminKeyFile, "\(path) holds a text of \(text.count) characters")
        }
        return (key, path)
    }

    /// Returns the settings of both listeners, with connection limits that fit the available file descriptors.
    private func limits(echo: EchoUpstream?) async throws -> (GatewayConfiguration, ConnectionLimits) {
        var (configuration, connections) = (settings.gateway, settings.connections)
        if echo != nil { configuration.routes = [Route(upstreams: [Upstream(host: "127.0.0.1", port: 0)])] }
        let budget = DescriptorBudget(limit: DescriptorBudget.raisedLimit(), configuration, isEcho: echo != nil)
        guard budget.limit >= budget.minimum else {
            throw StartError(
                "this process may open \(budget.limit) files: at least \(budget.minimum) are needed (ulimit -n)")
        }
        if budget.fit(&configuration.limits, &connections) {
            logger.warning(
                "connection limits were lowered to fit the available file descriptors",
                metadata: [
                    "descriptors": .stringConvertible(budget.limit),
                    "connections": .stringConvertible(configuration.limits.connections),
                    "upstream_connections": .stringConvertible(configuration.limits.upstreamConnectionsPerLoop),
                    "tunnels": .stringConvertible(configuration.limits.tunnelsPerLoop),
                    "control_connections": .stringConvertible(connections.total),
                ])
        }
        if let echo {
            let limit = configuration.threads * configuration.limits.upstreamConnectionsPerLoop
            let upstream = Upstream(host: "127.0.0.1", port: try await echo.bind(limit: limit).port ?? 0)
            configuration.routes = [Route(upstreams: [upstream])]
        }
        return (configuration, connections)
    }

    private func bind(_ gateway: Gateway) async throws -> ListenAddress {
        do {
            let port = try await gateway.bind().port ?? settings.gateway.port
            return ListenAddress(host: settings.gateway.host, port: port)
        } catch let error as GatewayError {
            if case .tls(let file, _) = error {
                throw SettingsError(Self.setting(of: file, settings), cannot: "\(error)")
            }
            throw SettingsError(Setting.gatewayAddress, cannot: "\(error)")
        }
    }

    /// Returns the setting that names a file.
    private static func setting(of file: String, _ settings: Settings) -> Setting {
        switch file {
        case settings.gateway.certificate?.chain: Setting.certificateFile
        case settings.gateway.certificate?.key: Setting.keyFile
        default: Setting.upstreamCAFile
        }
    }

    private static func observe(_ verification: PostgresVerification, in metrics: PrometheusRegistry) {
        let (index, freshness, pool) = (verification.index, verification.freshness, verification.pool)
        let heartbeat = verification.heartbeat
        metrics.gauge("keyward_index_keys") { Double(index.count) }
        metrics.gauge("keyward_index_bytes") { Double(index.memory) }
        metrics.gauge("keyward_disputed_ends") { Double(index.disputedEndCount) }
        metrics.gauge("keyward_index_age_seconds") { freshness.age.map { $0 / .seconds(1) } }
        metrics.gauge("keyward_instances") { heartbeat.liveInstances.map { Double($0) } }
        metrics.gauge("keyward_pool_connections_idle") { Double(pool.statistics.idle) }
        metrics.gauge("keyward_pool_connections_leased") { Double(pool.statistics.leased) }
        metrics.gauge("keyward_pool_waiting") { Double(pool.statistics.waiting) }
        metrics.counter("keyward_pool_failures_total") { Double(pool.statistics.totalFailures) }
    }
}
