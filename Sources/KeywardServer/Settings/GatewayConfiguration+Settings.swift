import AuthKeys
import Gateway
import HTTPCredentials
import NIOCore

extension GatewayConfiguration {
    /// Reads the gateway's settings. The configuration has no routes if neither an upstream nor a route is set.
    init(_ source: SettingsSource) throws(SettingsError) {
        self.init(routes: try Self.routes(source))
        let address = try source.address(Setting.gatewayAddress)
        (host, port) = (address.host, address.port)
        certificate = try Self.certificate(source)
        if let file = source.text(Setting.upstreamCAFile) { upstreamTrust = .authorities(file: file) }
        credentials = CredentialPlaces(try source.list(Setting.credentials, Self.credential))
        trustedProxies = try source.list(Setting.trustedProxies) { IPNetwork($0) }
        scopes = ScopeRules(try source.list(Setting.require) { ScopeRules.Rule($0) })
        forwardsCredentials = try source.boolean(Setting.forwardCredentials)
        passesPreflights = try source.boolean(Setting.passPreflights)
        costs = CostRules(try source.list(Setting.cost) { CostRules.Rule($0) })
        if source.text(Setting.costHeader) != nil { costField = try source.value(Setting.costHeader) { CostField($0) } }
        if source.text(Setting.costUsage) != nil { costUsage = try source.value(Setting.costUsage) { UsageMember($0) } }
        limitFields = try source.value(Setting.limitHeaders) { LimitFieldMode(rawValue: $0) }
        if let text = source.text(Setting.selfPath) {
            guard let path = SelfPath(text) else { throw SettingsError(Setting.selfPath) }
            selfPath = path
        }
        cutsRevoked = try source.boolean(Setting.cutRevoked)
        try readTimeouts(source)
        try readLimits(source)
        threads = try source.text(Setting.threads) == nil ? System.coreCount : source.number(Setting.threads)
    }

    private mutating func readTimeouts(_ source: SettingsSource) throws(SettingsError) {
        timeouts.connect = try source.duration(Setting.connectTimeout)
        timeouts.responseHead = try source.duration(Setting.responseTimeout)
        timeouts.idle = try source.duration(Setting.idleTimeout)
        timeouts.tunnelIdle = try source.duration(Setting.tunnelIdleTimeout)
        timeouts.keepAlive = try source.duration(Setting.keepAliveTimeout)
        timeouts.requestHead = try source.duration(Setting.requestHeadTimeout)
        timeouts.upstreamIdle = try source.duration(Setting.upstreamIdleTimeout)
        timeouts.drain = try source.duration(Setting.drainTimeout)
    }

    private mutating func readLimits(_ source: SettingsSource) throws(SettingsError) {
        limits.headBytes = try source.number(Setting.maxHeadBytes)
        limits.targetBytes = try source.number(Setting.maxTargetBytes)
        limits.fieldCount = try source.number(Setting.maxHeaders)
        limits.connections = try source.number(Setting.maxConnections)
        limits.requestsInFlight = try source.number(Setting.maxRequests)
        limits.requestsPerKey = try source.number(Setting.maxRequestsPerKey)
        limits.tunnelsPerLoop = try source.number(Setting.maxTunnels)
        limits.streamsPerConnection = try source.number(Setting.maxStreams)
        limits.upstreamConnectionsPerLoop = try source.number(Setting.maxUpstreamConnections)
        limits.uploadBytesPerIdleTime = try source.number(Setting.minUploadBytes)
    }

    private static func routes(_ source: SettingsSource) throws(SettingsError) -> [Route] {
        var upstreams: [String: [Upstream]] = [:]
        var order: [String] = []
        func add(_ prefix: String, _ url: some StringProtocol, _ setting: Setting) throws(SettingsError) {
            guard let upstream = Upstream(url: String(url)) else { throw SettingsError(setting) }
            if upstreams[prefix] == nil { order.append(prefix) }
            upstreams[prefix, default: []].append(upstream)
        }
        for url in source.list(Setting.upstreamURL) { try add("", url, Setting.upstreamURL) }
        for route in source.list(Setting.routes) {
            // The error does not show the text, because its URL may contain a password.
            guard let equals = route.firstIndex(of: "="), isPrefix(route[..<equals]) else {
                throw SettingsError(Setting.routes, "a route has no valid prefix before '='")
            }
            let prefix = Route(prefix: String(route[..<equals]), upstreams: []).prefix
            try add(prefix, route[route.index(after: equals)...], Setting.routes)
        }
        for (prefix, list) in upstreams where list.count > 64 {
            throw SettingsError(
                prefix.isEmpty ? Setting.upstreamURL : Setting.routes, "at most 64 upstreams can share a prefix")
        }
        return order.map { Route(prefix: $0, upstreams: upstreams[$0] ?? []) }
    }

    /// Returns true if the text begins with a slash, and if no other spelling means the same path.
    private static func isPrefix(_ text: some StringProtocol) -> Bool {
        text.hasPrefix("/") && !text.contains("//")
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
                case UInt8(ascii: "/"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "~"): true
                default: false
                }
            }
            && !text.split(separator: "/").contains { $0 == "." || $0 == ".." }
    }

    private static func certificate(_ source: SettingsSource) throws(SettingsError) -> CertificateFiles? {
        switch (source.text(Setting.certificateFile), source.text(Setting.keyFile)) {
        case (nil, nil): return nil
        case (let chain?, let key?): return CertificateFiles(chain: chain, key: key)
        case (nil, _?): throw SettingsError(Setting.certificateFile, "\(Setting.keyFile.environment) requires it")
        case (_?, nil): throw SettingsError(Setting.keyFile, "\(Setting.certificateFile.environment) requires it")
        }
    }

    private static func credential(_ name: String) -> CredentialPlaces? {
        switch name.lowercased() {
        case "authorization": .authorization
        case "x-api-key": .xAPIKey
        default: nil
        }
    }
}
