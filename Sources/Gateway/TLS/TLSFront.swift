import NIOCore
import NIOHTTP2
import NIOSSL
import NIOTLS

/// A handler for the start of a client's TLS connection. After the handshake it adds the handlers of the protocol that
/// ALPN selected (RFC 7301): HTTP/2 or HTTP/1.1.
final class TLSFront: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let loop: GatewayLoop
    private var timeout: Scheduled<Void>?
    private var isDone = false

    init(loop: GatewayLoop) {
        self.loop = loop
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        timeout = context.eventLoop.assumeIsolated().scheduleTask(in: loop.timeouts.requestHead) { channel.abort() }
        loop.beginsHandshake(channel)
    }

    func channelActive(context: ChannelHandlerContext) {
        context.read()
        context.fireChannelActive()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if !isDone { context.read() }
        context.fireChannelReadComplete()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .handshakeCompleted(let negotiated)? = event as? TLSUserEvent else {
            return context.fireUserInboundEventTriggered(event)
        }
        isDone = true
        timeout?.cancel()
        loop.endsHandshake(context.channel)
        guard !loop.isDraining else { return context.channel.abort() }
        do {
            let pipeline = context.pipeline.syncOperations
            if negotiated == "h2" {
                try HTTP2Front.add(to: context.channel, loop: loop)
            } else {
                try pipeline.addHandler(
                    FrontConnection(loop: loop, peer: context.channel.remoteAddress, isSecure: true))
            }
            pipeline.removeHandler(self, promise: nil)
        } catch {
            context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        timeout?.cancel()
        context.fireChannelInactive()
    }
}
