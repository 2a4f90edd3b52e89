import NIOCore
import NIOPosix
import NIOSSL

/// The reason for which no connection to an upstream can be opened.
public struct UpstreamProbeError: Error, CustomStringConvertible {
    public let description: String
}

extension Upstream {
    /// Opens a connection in the same way as the gateway, with the handshake if the upstream uses TLS, and closes it.
    public func probe(
        trust: UpstreamTrust, timeout: Duration
    ) async throws(UpstreamProbeError) {
        do {
            let tls = isSecure ? try TLSContexts.client(trust) : nil
            let address = try? SocketAddress(ipAddress: host, port: port)
            let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(TimeAmount(timeout))
                .channelOption(.autoRead, value: false)
            let connecting = address.map { bootstrap.connect(to: $0) } ?? bootstrap.connect(host: host, port: port)
            let channel = try await connecting.get()
            if let tls {
                let name = address == nil ? host : nil
                try await channel.eventLoop.flatSubmit {
                    let handshake = channel.eventLoop.makePromise(of: Void.self)
                    do {
                        try channel.pipeline.syncOperations.addHandlers([
                            try NIOSSLClientHandler(context: tls, serverHostname: name),
                            UpstreamHandshake(limit: TimeAmount(timeout)) { handshake.completeWith($0) },
                        ])
                    } catch {
                        channel.close(promise: nil)
                        handshake.fail(error)
                    }
                    return handshake.futureResult
                }.get()
            }
            try? await channel.close().get()
        } catch {
            throw UpstreamProbeError(description: ConnectionFailure.description(of: error))
        }
    }
}

extension GatewayConfiguration {
    /// Reads the certificate, the private key and the authorities in the same way as a start of the gateway.
    public func checkFiles() throws(GatewayError) {
        if let certificate { _ = try TLSContexts.server(certificate) }
        if routes.contains(where: { $0.upstreams.contains(where: \.isSecure) }) {
            _ = try TLSContexts.client(upstreamTrust)
        }
    }
}
