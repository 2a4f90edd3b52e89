import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// Sets up the connections of the control listener: HTTP/1.1 with limits and timeouts.
struct ControlChannel: HTTPChannelHandler {
    typealias Value = HTTP1Channel.Value

    let responder: HTTPChannelHandler.Responder
    let connections: OpenConnections
    let limits: ConnectionLimits
    let streamed: StreamedRoutes
    let directAnswers: @Sendable (ConnectionWatch) -> DirectAnswers

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        guard let connection = connections.admit(channel, at: .now()) else {
            channel.close(promise: nil)
            return channel.eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel)
        }
        let watch = NIOLoopBound(
            ConnectionWatch(connection, limits: limits, streamed: streamed), eventLoop: channel.eventLoop)
        let http = HTTP1Channel(
            responder: responder,
            configuration: .init(
                additionalChannelHandlers: [watch.value.makePartsHandler(), directAnswers(watch.value)]))
        return channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(watch.value.makeBytesHandler())
        }.flatMap {
            http.setup(channel: channel, logger: logger)
        }.flatMapThrowing { value in
            let pipeline = channel.pipeline.syncOperations
            let codec = try pipeline.handler(type: HTTP1ToHTTPServerCodec.self)
            try pipeline.addHandler(PlainHeads(), position: .before(codec))
            // A cancelled server drops connections that it accepted but has not begun to handle. NIO traps if their
            // writer is dropped unfinished; the end of the channel finishes the writer.
            channel.closeFuture.whenComplete { _ in withExtendedLifetime(value) {} }
            return value
        }.flatMapErrorThrowing { error in
            channel.close(promise: nil)
            throw error
        }
    }

    func handle(value: Value, logger: Logger) async {
        await handleHTTP(asyncChannel: value, logger: logger)
    }
}
