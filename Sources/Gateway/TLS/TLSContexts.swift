import Glibc
import NIOCore
import NIOSSL

/// Makes what TLS needs out of files. Protocol versions before TLS 1.2 are off, and so are all cipher suites without forward secrecy or
/// authenticated encryption (RFC 9325 section 4.2); those of TLS 1.3 all have both.
enum TLSContexts {
    private static let cipherSuites: [NIOTLSCipher] = [
        .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, .TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, .TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, .TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ]

    /// For the gateway's listener.
    static func server(_ files: CertificateFiles) throws(GatewayError) -> NIOSSLContext {
        let chain = try certificates(in: files.chain)
        let key = try load(files.key, otherwise: "it holds no private key in PEM, or one with a passphrase") {
            try NIOSSLPrivateKey(file: $0, format: .pem)
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.cipherSuiteValues = cipherSuites
        configuration.applicationProtocols = ["h2", "http/1.1"]
        return try load(
            files.key, otherwise: "the private key does not belong to the first certificate in \(files.chain)"
        ) { _ in
            try NIOSSLContext(configuration: configuration)
        }
    }

    /// For connections to upstreams, whose certificates are checked.
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
        // The library does not tell a file that cannot be read from one that holds no certificate.
        guard access(file, R_OK) == 0 else { throw .tls(file: file, reason: String(cString: strerror(errno))) }
        let reason = "it holds no certificate in PEM"
        let certificates = try load(file, otherwise: reason) { try NIOSSLCertificate.fromPEMFile($0) }
        guard !certificates.isEmpty else { throw .tls(file: file, reason: reason) }
        return certificates
    }

    /// - Parameter reason: the one to give where the file can be opened. The library's own is a number from BoringSSL.
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
