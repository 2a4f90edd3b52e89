import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Closes a connection when a request on it has not come to its end in time: a body that comes by the byte would hold it for ever.
final class RequestDeadline: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart

    private let connections: OpenConnections
    private let limit: TimeAmount
    /// Paths whose bodies may take longer, since whoever answers there has a patience of its own.
    private let streamed: Set<String>
    /// Whether a request has begun that has to end in time.
    private var isDue = false
    private var deadline: Scheduled<Void>?

    /// - Parameter limit: from the end of a request's head to the end of its body.
    init(connections: OpenConnections, limit: Duration, streamed: Set<String>) {
        self.connections = connections
        self.limit = TimeAmount(limit)
        self.streamed = streamed
    }

    func handlerAdded(context: ChannelHandlerContext) {
        connections.add(context.channel)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end(context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(context)
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): isDue = !streamed.contains(String((head.path ?? "").prefix { $0 != "?" }))
        case .body: break
        case .end:
            isDue = false
            deadline?.cancel()
            deadline = nil
        }
        context.fireChannelRead(data)
    }

    /// Most requests have ended by now.
    func channelReadComplete(context: ChannelHandlerContext) {
        if isDue, deadline == nil {
            let channel = context.channel
            deadline = context.eventLoop.scheduleTask(in: limit) { channel.close(promise: nil) }
        }
        context.fireChannelReadComplete()
    }

    private func end(_ context: ChannelHandlerContext) {
        deadline?.cancel()
        deadline = nil
        connections.remove(context.channel)
    }
}
