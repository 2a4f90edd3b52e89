import Glibc
import NIOCore
import NIOSSL

/// A factory of TLS contexts from files. Versions before TLS 1.2 are disabled, as are all cipher suites without forward
/// secrecy or authenticated encryption (RFC 9325 section 4.2). All cipher suites of TLS 1.3 have both.
enum TLSContexts {
    private static let cipherSuites: [NIOTLSCipher] = [
        .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, .TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, .TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, .TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ]

    /// Returns the context of the gateway's listener.
    static func server(_ files: CertificateFiles) throws(GatewayError) -> NIOSSLContext {
        let chain = try certificates(in: files.chain)
        let key = try load(files.key, otherwise: "it contains no private key in PEM, or one with a passphrase") {
            try NIOSSLPrivateKey(file: $0, format: .pem)
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.cipherSuiteValues = cipherSuites
        configuration.applicationProtocols = ["h2", "http/1.1"]
        return try load(
            files.key, otherwise: "the private key does not match the first certificate in \(files.chain)"
        ) { _ in
            try NIOSSLContext(configuration: configuration)
        }
    }

    /// Returns the context of connections to upstreams, which verifies their certificates.
    static func client(_ trust: UpstreamTrust) throws(GatewayError) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.cipherSuiteValues = cipherSuites
        configuration.certificateVerification = .fullVerification
        configuration.applicationProtocols = ["http/1.1"]
        var file = "the system's trust store"
        if case .authorities(let path) = trust {
            file = path
            configuration.trustRoots = .certificates(try certificates(in: path))
        }
        return try load(file, otherwise: "its certificates cannot be used") { _ in
            try NIOSSLContext(configuration: configuration)
        }
    }

    private static func certificates(in file: String) throws(GatewayError) -> [NIOSSLCertificate] {
        // The library reports an unreadable file in the same way as a file without certificates.
        guard access(file, R_OK) == 0 else { throw .tls(file: file, reason: String(cString: strerror(errno))) }
        let reason = "it contains no certificate in PEM"
        let certificates = try load(file, otherwise: reason) { try NIOSSLCertificate.fromPEMFile($0) }
        guard !certificates.isEmpty else { throw .tls(file: file, reason: reason) }
        return certificates
    }

    /// - Parameter reason: the reason to report if the file can be opened. The library's own is a number from
    ///   BoringSSL.
    private static func load<R>(
        _ file: String, otherwise reason: String, _ body: (String) throws -> R
    ) throws(GatewayError) -> R {
        do {
            return try body(file)
        } catch let error as IOError {
            throw .tls(file: file, reason: String(cString: strerror(error.errnoCode)))
        } catch {
            throw .tls(file: file, reason: reason)
        }
    }
}
