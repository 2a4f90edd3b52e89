import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Follows one connection on its event loop, and closes it when its deadline passes.
final class ConnectionWatch {
    private let connection: ControlConnection
    private let streamed: StreamedRoutes
    private var progress: ConnectionProgress
    private var timer: (task: Scheduled<Void>, deadline: NIODeadline)?

    init(_ connection: ControlConnection, limits: ConnectionLimits, streamed: StreamedRoutes) {
        self.connection = connection
        self.streamed = streamed
        progress = ConnectionProgress(limits: limits, openedAt: .now())
    }

    /// Returns a handler for the position before the HTTP decoder.
    func makeBytesHandler() -> some ChannelInboundHandler { BytesHandler(watch: self) }

    /// Returns a handler for the position behind the HTTP decoder.
    func makePartsHandler() -> any RemovableChannelHandler { PartsHandler(watch: self) }

    /// Records the result of the check of a request's admin credential.
    func checkedCredential(isValid: Bool) {
        _ = note { progress, _ in progress.isAuthenticated = isValid }
    }

    /// Applies a change to the progress.
    /// - Returns: false if the connection is being closed in favour of another; its input is then dropped.
    private func note(_ change: (inout ConnectionProgress, NIODeadline) -> Void) -> Bool {
        change(&progress, .now())
        return connection.note(evictableSince: progress.evictableSince)
    }

    /// Schedules the timer if the deadline is earlier than the timer's. A later deadline is checked when the timer
    /// fires.
    private func setTimer() {
        guard let deadline = progress.deadline, timer.map({ deadline < $0.deadline }) ?? true else { return }
        timer?.task.cancel()
        let bound = NIOLoopBound(self, eventLoop: connection.channel.eventLoop)
        let task = connection.channel.eventLoop.scheduleTask(deadline: deadline) { bound.value.fire() }
        timer = (task, deadline)
    }

    private func fire() {
        timer = nil
        if let deadline = progress.deadline, deadline <= .now() {
            connection.channel.close(promise: nil)
        } else {
            setTimer()
        }
    }

    private func stop() {
        timer?.task.cancel()
        timer = nil
    }

    /// Observes the bytes that arrive, and the state of the socket.
    private final class BytesHandler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let watch: ConnectionWatch

        init(watch: ConnectionWatch) {
            self.watch = watch
        }

        func handlerAdded(context: ChannelHandlerContext) {
            watch.setTimer()
        }

        func handlerRemoved(context: ChannelHandlerContext) {
            watch.stop()
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            if watch.note({ $0.receivedBytes(at: $1) }) { context.fireChannelRead(data) }
        }

        /// Sets the timer here because most requests are completely received by now, and many are answered.
        func channelReadComplete(context: ChannelHandlerContext) {
            context.fireChannelReadComplete()
            watch.setTimer()
        }

        func channelWritabilityChanged(context: ChannelHandlerContext) {
            let isWritable = context.channel.isWritable
            _ = watch.note { $0.changedWritability(to: isWritable, at: $1) }
            watch.setTimer()
            context.fireChannelWritabilityChanged()
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if let event = event as? CredentialChecked {
                watch.checkedCredential(isValid: event.isValid)
            } else {
                context.fireUserInboundEventTriggered(event)
            }
        }
    }

    /// Observes requests and responses.
    private final class PartsHandler: ChannelDuplexHandler, RemovableChannelHandler {
        typealias InboundIn = HTTPRequestPart
        typealias OutboundIn = HTTPResponsePart

        private let watch: ConnectionWatch

        init(watch: ConnectionWatch) {
            self.watch = watch
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var isOpen = true
            switch unwrapInboundIn(data) {
            case .head(let head):
                let path = (head.path ?? "").utf8.prefix { $0 != UInt8(ascii: "?") }
                let isStreamed = watch.streamed.contains(head.method, path)
                isOpen = watch.note { $0.receivedHead(isStreamed: isStreamed, at: $1) }
            case .body: break
            case .end: isOpen = watch.note { $0.receivedEnd(at: $1) }
            }
            if isOpen { context.fireChannelRead(data) }
        }

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            if case .end = unwrapOutboundIn(data) {
                _ = watch.note { $0.answered(at: $1) }
                watch.setTimer()
            }
            context.write(data, promise: promise)
        }
    }
}
