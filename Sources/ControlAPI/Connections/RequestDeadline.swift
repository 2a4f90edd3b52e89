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
        case .head(let head): begin(head, context)
        case .body: break
        case .end:
            deadline?.cancel()
            deadline = nil
        }
        context.fireChannelRead(data)
    }

    private func begin(_ head: HTTPRequest, _ context: ChannelHandlerContext) {
        let path = (head.path ?? "").prefix { $0 != "?" }
        guard !streamed.contains(String(path)) else { return }
        let channel = context.channel
        deadline = context.eventLoop.scheduleTask(in: limit) { channel.close(promise: nil) }
    }

    private func end(_ context: ChannelHandlerContext) {
        deadline?.cancel()
        deadline = nil
        connections.remove(context.channel)
    }
}
