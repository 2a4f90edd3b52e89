public import Logging
public import NIOCore

/// A handler of a listening socket that stops accepting connections while as many are open as may be, and for a moment after
/// accepting failed.
///
/// Put first in the pipeline of the server channel. Connections that are not accepted wait in the kernel's backlog and cost no
/// descriptor. Errors of `accept` (such as EMFILE and ECONNABORTED, accept(2)) go no further: a handler behind this one would
/// take them for the end of the listener.
public final class AcceptGuard: ChannelDuplexHandler {
    public typealias InboundIn = any Channel
    public typealias InboundOut = any Channel
    public typealias OutboundIn = Never
    public typealias OutboundOut = Never

    /// The time without a further attempt after accepting failed.
    static let pause = TimeAmount.milliseconds(200)

    private let limit: Int
    private let logger: Logger
    private var openCount = 0
    private var isPaused = false
    private var hasHeldRead = false

    /// - Parameter limit: the connections at a time. One read may accept a few more.
    public init(limit: Int, logger: Logger) {
        self.limit = limit
        self.logger = logger
    }

    public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        openCount += 1
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        unwrapInboundIn(data).closeFuture.hop(to: context.eventLoop).whenComplete { _ in
            let (handler, context) = bound.value
            handler.openCount -= 1
            handler.resumeReading(context)
        }
        context.fireChannelRead(data)
    }

    public func read(context: ChannelHandlerContext) {
        if isPaused || openCount >= limit {
            hasHeldRead = true
        } else {
            context.read()
        }
    }

    public func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if isPaused { return }
        logger.warning("connections cannot be accepted for the moment", metadata: ["error": "\(error)"])
        isPaused = true
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: Self.pause) {
            let (handler, context) = bound.value
            handler.isPaused = false
            handler.resumeReading(context)
        }
    }

    private func resumeReading(_ context: ChannelHandlerContext) {
        guard hasHeldRead, !isPaused, openCount < limit else { return }
        hasHeldRead = false
        context.read()
    }
}
