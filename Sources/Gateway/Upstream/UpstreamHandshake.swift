import NIOCore
import NIOSSL
import NIOTLS

/// A handler that waits for the end of a TLS handshake with an upstream, at most for the connect timeout.
final class UpstreamHandshake: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    private let limit: TimeAmount
    private var completion: ((Result<Void, any Error>) -> Void)?
    private var timeout: Scheduled<Void>?

    init(limit: TimeAmount, _ completion: @escaping (Result<Void, any Error>) -> Void) {
        self.limit = limit
        self.completion = completion
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = NIOLoopBound(context, eventLoop: context.eventLoop)
        timeout = context.eventLoop.assumeIsolated().scheduleTask(in: limit) {
            self.finish(.failure(ChannelError.connectTimeout(self.limit)), context: channel.value)
        }
        context.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .handshakeCompleted? = event as? TLSUserEvent else {
            return context.fireUserInboundEventTriggered(event)
        }
        let completion = take()
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
        completion?(.success(()))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if completion != nil { context.read() }
        context.fireChannelReadComplete()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        finish(.failure(error), context: context)
        context.fireErrorCaught(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(.failure(ChannelError.eof), context: context)
        context.fireChannelInactive()
    }

    private func finish(_ result: Result<Void, any Error>, context: ChannelHandlerContext) {
        guard let completion = take() else { return }
        context.close(promise: nil)
        completion(result)
    }

    private func take() -> ((Result<Void, any Error>) -> Void)? {
        defer { completion = nil }
        timeout?.cancel()
        return completion
    }
}
