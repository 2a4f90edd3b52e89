import Glibc
import NIOCore
import NIOPosix
import NIOSSL

/// The cause of an upstream's failure, as a log line names it.
enum UpstreamCause {
    case error(any Error)
    /// Every upstream of the route was tried for the request, or is ejected.
    case noneLeft
    /// No connection became free or opened in time.
    case notConnected
    case noResponse
    /// The connection carried no bytes for too long, in the middle of a response or of a tunnel.
    case stalled
    case closed
    /// The bytes are not a valid response.
    case invalidResponse(HeadError)
}

extension UpstreamCause: CustomStringConvertible {
    var description: String {
        switch self {
        case .error(let error): Self.text(of: error)
        case .noneLeft: "every upstream of the route was tried or is ejected"
        case .notConnected: "no connection was free in time"
        case .noResponse: "the response did not begin in time"
        case .stalled: "the exchange made no progress in time"
        case .closed: "the upstream closed the connection"
        case .invalidResponse(.tooLarge), .invalidResponse(.targetTooLong): "the head of the response is too large"
        case .invalidResponse(.unsupportedVersion): "the response is not HTTP/1.1 or HTTP/1.0"
        case .invalidResponse: "the bytes are not a valid response"
        }
    }

    private static func text(of error: any Error) -> String {
        switch error {
        case let error as IOError: return String(cString: strerror(error.errnoCode))
        case let error as NIOConnectionError:
            if let first = error.connectionErrors.first { return text(of: first.error) }
            return "the host name has no address"
        case ChannelError.connectTimeout: return "the connection was not open in time"
        case ChannelError.eof: return "the upstream closed the connection in the TLS handshake"
        default: return "\(error)"
        }
    }
}
