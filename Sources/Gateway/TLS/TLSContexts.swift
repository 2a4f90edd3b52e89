import Glibc
import NIOCore
import NIOSSL

/// Makes what TLS needs out of files. Old protocol versions and weak ciphers are left out by the library's defaults
/// (TLS 1.2 and newer, RFC 9325).
enum TLSContexts {
    /// For the gateway's listener.
    static func server(_ files: CertificateFiles) throws(GatewayError) -> NIOSSLContext {
        let chain = try load(files.chain) { try NIOSSLCertificate.fromPEMFile($0) }
        guard !chain.isEmpty else { throw .tls(file: files.chain, reason: "there is no certificate in it") }
        let key = try load(files.key) { try NIOSSLPrivateKey(file: $0, format: .pem) }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["h2", "http/1.1"]
        return try load(files.key) { _ in try NIOSSLContext(configuration: configuration) }
    }

    /// For connections to upstreams, whose certificates are checked.
    static func client(_ trust: UpstreamTrust) throws(GatewayError) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.certificateVerification = .fullVerification
        configuration.applicationProtocols = ["http/1.1"]
        var file = "the system's trust store"
        if case .authorities(let path) = trust {
            file = path
            let authorities = try load(path) { try NIOSSLCertificate.fromPEMFile($0) }
            guard !authorities.isEmpty else { throw .tls(file: path, reason: "there is no certificate in it") }
            configuration.trustRoots = .certificates(authorities)
        }
        return try load(file) { _ in try NIOSSLContext(configuration: configuration) }
    }

    private static func load<R>(_ file: String, _ body: (String) throws -> R) throws(GatewayError) -> R {
        do {
            return try body(file)
        } catch let error as IOError {
            throw .tls(file: file, reason: String(cString: strerror(error.errnoCode)))
        } catch {
            // What the library says of a key file is a number from BoringSSL, never the key.
            throw .tls(file: file, reason: "it is not what it has to be, in PEM, or does not belong to the other one")
        }
    }
}
