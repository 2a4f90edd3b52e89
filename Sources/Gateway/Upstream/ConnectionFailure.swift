import Glibc
import NIOCore
import NIOPosix
import NIOSSL

/// The cause of a connection that could not be opened, for operators.
public enum ConnectionFailure {
    public static func description(of error: any Error) -> String {
        switch error {
        case let error as GatewayError: "\(error)"
        case let error as IOError: String(cString: strerror(error.errnoCode))
        case let error as NIOConnectionError:
            error.connectionErrors.first.map { description(of: $0.error) } ?? "the host name is not known"
        case SocketAddressError.unknown: "the host name is not known"
        case ChannelError.connectTimeout: "no response in time"
        case is NIOSSLError, is NIOSSLExtraError: "the TLS handshake fails: \(tls(error))"
        case ChannelError.eof: "the server ends the connection during the TLS handshake"
        default: "\(error)"
        }
    }

    /// Returns the common causes as text; OpenSSL's own text consists of codes.
    private static func tls(_ error: any Error) -> String {
        let text = "\(error)"
        if text.contains("CERTIFICATE_VERIFY_FAILED") {
            return "the certificate has expired, or is not of a trusted authority"
        }
        if text.contains("WRONG_VERSION_NUMBER") { return "the server does not use TLS" }
        if error as? NIOSSLExtraError == .failedToValidateHostname { return "the certificate is for another host" }
        return text
    }
}
