import AuthKeys
import Gateway
import NIOCore

extension GatewayConfiguration {
    /// Reads the gateway's settings. The configuration has no routes if neither an upstream nor a route is set.
    init(_ source: SettingsSource) throws(SettingsError) {
        self.init(routes: try Self.routes(source))
        let address = try source.address(.gatewayAddress, default: ListenAddress(host: host, port: port))
        (host, port) = (address.host, address.port)
        certificate = try Self.certificate(source)
        if let file = source.text(.upstreamCAFile) { upstreamTrust = .authorities(file: file) }
        credentials = try Self.credentials(source)
        trustedProxies = try Self.trustedProxies(source)
        scopes = try Self.scopes(source)
        try source.flag(.forwardCredentials, &forwardsCredentials)
        try source.flag(.passPreflights, &passesPreflights)
        try source.flag(.cutRevoked, &cutsRevoked)
        try readTimeouts(source)
        try readLimits(source)
        threads = System.coreCount
        try source.number(.threads, &threads, in: 1...1_024)
    }

    private mutating func readTimeouts(_ source: SettingsSource) throws(SettingsError) {
        try source.timeout(.connectTimeout, &timeouts.connect)
        try source.timeout(.responseTimeout, &timeouts.responseHead)
        try source.timeout(.idleTimeout, &timeouts.idle)
        try source.timeout(.tunnelIdleTimeout, &timeouts.tunnelIdle)
        try source.timeout(.keepAliveTimeout, &timeouts.keepAlive)
        try source.timeout(.requestHeadTimeout, &timeouts.requestHead)
        try source.timeout(.upstreamIdleTimeout, &timeouts.upstreamIdle)
        try source.timeout(.drainTimeout, &timeouts.drain)
    }

    private mutating func readLimits(_ source: SettingsSource) throws(SettingsError) {
        try source.number(.maxHeadBytes, &limits.headBytes, in: 1_024...1_048_576)
        try source.number(.maxTargetBytes, &limits.targetBytes, in: 256...1_048_576)
        try source.number(.maxHeaders, &limits.fieldCount, in: 10...10_000)
        try source.number(.maxConnections, &limits.connections, in: 1...1_000_000)
        try source.number(.maxRequests, &limits.requestsInFlight, in: 1...1_000_000)
        try source.number(.maxRequestsPerKey, &limits.requestsPerKey, in: 1...1_000_000)
        try source.number(.maxTunnels, &limits.tunnelsPerLoop, in: 1...65_536)
        try source.number(.maxStreams, &limits.streamsPerConnection, in: 1...10_000)
        try source.number(.maxUpstreamConnections, &limits.upstreamConnectionsPerLoop, in: 1...65_536)
        try source.number(.minUploadBytes, &limits.uploadBytesPerIdleTime, in: 0...1_048_576)
    }

    private static func routes(_ source: SettingsSource) throws(SettingsError) -> [Route] {
        var upstreams: [String: [Upstream]] = [:]
        var order: [String] = []
        func add(_ prefix: String, _ url: some StringProtocol, _ setting: Setting) throws(SettingsError) {
            guard let upstream = Upstream(url: String(url)) else { throw SettingsError(setting) }
            if upstreams[prefix] == nil { order.append(prefix) }
            upstreams[prefix, default: []].append(upstream)
        }
        for url in source.list(.upstreamURL) { try add("", url, .upstreamURL) }
        for route in source.list(.routes) {
            // The error does not show the text, because its URL may contain a password.
            guard let equals = route.firstIndex(of: "="), isPrefix(route[..<equals]) else {
                throw SettingsError(.routes, "a route has no valid prefix before '='")
            }
            let prefix = Route(prefix: String(route[..<equals]), upstreams: []).prefix
            try add(prefix, route[route.index(after: equals)...], .routes)
        }
        for (prefix, list) in upstreams where list.count > 64 {
            throw SettingsError(prefix.isEmpty ? .upstreamURL : .routes, "at most 64 upstreams can share a prefix")
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
        switch (source.text(.certificateFile), source.text(.keyFile)) {
        case (nil, nil): return nil
        case (let chain?, let key?): return CertificateFiles(chain: chain, key: key)
        case (nil, _?): throw SettingsError(.certificateFile, "\(Setting.keyFile.environment) requires it")
        case (_?, nil): throw SettingsError(.keyFile, "\(Setting.certificateFile.environment) requires it")
        }
    }

    private static func credentials(_ source: SettingsSource) throws(SettingsError) -> CredentialPlaces {
        guard source.text(.credentials) != nil else { return [.authorization, .xAPIKey] }
        var places: CredentialPlaces = []
        for name in source.list(.credentials) {
            switch name.lowercased() {
            case "authorization": places.insert(.authorization)
            case "x-api-key": places.insert(.xAPIKey)
            default: throw SettingsError(.credentials, "'\(name)' is not supported")
            }
        }
        return places
    }

    private static func scopes(_ source: SettingsSource) throws(SettingsError) -> ScopeRules {
        var rules: [ScopeRules.Rule] = []
        for text in source.list(.require) {
            guard let rule = ScopeRules.Rule(text) else {
                throw SettingsError(.require, "'\(text)' is not a valid rule")
            }
            rules.append(rule)
        }
        return ScopeRules(rules)
    }

    private static func trustedProxies(_ source: SettingsSource) throws(SettingsError) -> [IPNetwork] {
        var networks: [IPNetwork] = []
        for text in source.list(.trustedProxies) {
            guard let network = IPNetwork(text) else {
                throw SettingsError(.trustedProxies, "'\(text)' is not a valid network or address")
            }
            networks.append(network)
        }
        return networks
    }
}
