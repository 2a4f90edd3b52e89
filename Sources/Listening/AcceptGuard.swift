public import Logging
public import NIOCore

/// A handler of a listening socket that limits the number of open connections. It also stops accepting for a moment
/// after `accept` failed.
///
/// It is the first handler in the pipeline of the server channel. Connections that are not accepted wait in the
/// kernel's backlog and use no descriptor. Errors of `accept` (such as EMFILE and ECONNABORTED, accept(2)) are not
/// passed on: a later handler would treat them as the end of the listener.
public final class AcceptGuard: ChannelDuplexHandler {
    public typealias InboundIn = any Channel
    public typealias InboundOut = any Channel
    public typealias OutboundIn = Never
    public typealias OutboundOut = Never

    /// The time without a further attempt after `accept` failed.
    static let pause = TimeAmount.milliseconds(200)

    private let limit: Int
    private let logger: Logger
    private var openCount = 0
    private var isPaused = false
    private var hasHeldRead = false
    private let pace = WarningPace(every: .seconds(10))

    /// - Parameters:
    ///   - limit: the maximum number of open connections. One read may accept a few more.
    ///   - listener: the name of the listener in the log.
    public init(limit: Int, listener: String, logger: Logger) {
        self.limit = limit
        var logger = logger
        logger[metadataKey: "listener"] = "\(listener)"
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
        guard isPaused || openCount >= limit else { return context.read() }
        hasHeldRead = true
        if !isPaused {
            warn(
                "no further connection is accepted until one is closed", ["connections": .stringConvertible(openCount)],
                context)
        }
    }

    /// Logs a warning, unless one was logged a moment ago: at the limit, accepting stops with each connection.
    private func warn(_ message: Logger.Message, _ metadata: Logger.Metadata, _ context: ChannelHandlerContext) {
        guard pace.isDue(now: context.eventLoop.now) else { return }
        logger.warning(message, metadata: metadata)
    }

    public func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if isPaused { return }
        warn("accepting connections failed", ["error": "\(error)"], context)
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
