/// A server to which requests are forwarded over HTTP/1.1.
public struct Upstream: Sendable, Equatable {
    public var host: String
    public var port: Int
    /// True to use TLS and to verify the server's certificate.
    public var isSecure: Bool
    /// A prefix for the path of every request: empty, or with a leading slash and without a trailing one.
    public let basePath: String

    public init(host: String, port: Int, isSecure: Bool = false, basePath: String = "") {
        self.host = host
        self.port = port
        self.isSecure = isSecure
        let inner = basePath.drop { $0 == "/" }
        let end = inner.lastIndex { $0 != "/" }.map { inner.index(after: $0) } ?? inner.startIndex
        self.basePath = end == inner.startIndex ? "" : "/" + inner[..<end]
    }

    /// Host and port in the form of a `Host` field.
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

/// The authorities whose signature makes an upstream's certificate valid.
public enum UpstreamTrust: Sendable, Equatable {
    /// The authorities that this machine trusts.
    case system
    /// Only the authorities in a PEM file.
    case authorities(file: String)
}

/// The PEM files of the gateway's certificate chain, its own certificate first, and of its private key.
public struct CertificateFiles: Sendable, Equatable {
    public var chain: String
    public var key: String

    public init(chain: String, key: String) {
        self.chain = chain
        self.key = key
    }
}
