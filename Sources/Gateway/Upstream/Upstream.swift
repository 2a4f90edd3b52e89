/// A server that requests are sent on to, over HTTP/1.1.
public struct Upstream: Sendable, Equatable {
    public var host: String
    public var port: Int
    /// Whether TLS is spoken, and the server's certificate checked.
    public var isSecure: Bool
    /// Put before the path of every request; empty, or beginning with a slash and not ending with one.
    public let basePath: String

    public init(host: String, port: Int, isSecure: Bool = false, basePath: String = "") {
        self.host = host
        self.port = port
        self.isSecure = isSecure
        let inner = basePath.drop { $0 == "/" }
        let end = inner.lastIndex { $0 != "/" }.map { inner.index(after: $0) } ?? inner.startIndex
        self.basePath = end == inner.startIndex ? "" : "/" + inner[..<end]
    }

    /// Host and port, as a `Host` field has them.
    var authority: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

/// The upstreams of all paths that begin with a prefix.
public struct Route: Sendable, Equatable {
    /// Whole path segments, such as `/v1`, without a slash at the end; empty for every path.
    public let prefix: String
    /// At least one and at most 64.
    public let upstreams: [Upstream]

    public init(prefix: String = "", upstreams: [Upstream]) {
        self.prefix = String(prefix.prefix(prefix.count - prefix.reversed().prefix { $0 == "/" }.count))
        self.upstreams = upstreams
    }
}

/// Whose signature makes an upstream's certificate good.
public enum UpstreamTrust: Sendable, Equatable {
    /// The authorities that this machine trusts.
    case system
    /// Those in a PEM file, and no others.
    case authorities(file: String)
}

/// The gateway's certificate chain, its own first, and its private key, in PEM files.
public struct CertificateFiles: Sendable, Equatable {
    public var chain: String
    public var key: String

    public init(chain: String, key: String) {
        self.chain = chain
        self.key = key
    }
}
