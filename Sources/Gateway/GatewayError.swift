/// An error that prevents the gateway from starting.
public enum GatewayError: Error, Sendable, Equatable {
    /// Another program listens on the address.
    case addressInUse(host: String, port: Int)
    /// The gateway cannot listen on the address: it is not an address of this machine, it does not resolve, or the port
    /// needs privileges.
    case cannotListen(host: String, port: Int, reason: String)
    /// A certificate, a private key or an authority cannot be used.
    case tls(file: String, reason: String)
    /// `bind` was called twice.
    case alreadyBound
}

extension GatewayError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .addressInUse(let host, let port): "cannot listen on \(host):\(port): the address is in use"
        case .cannotListen(let host, let port, let reason): "cannot listen on \(host):\(port): \(reason)"
        case .tls(let file, let reason): "\(file) cannot be used: \(reason)"
        case .alreadyBound: "the gateway is already listening"
        }
    }
}
