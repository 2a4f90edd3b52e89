import Glibc
import Listening
import Logging
import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@Suite("Accepting connections")
struct AcceptGuardTests {
    /// Counts the reads that reach the socket.
    private final class Socket: ChannelOutboundHandler {
        typealias OutboundIn = Never
        var reads = 0

        func read(context: ChannelHandlerContext) { reads += 1 }
    }

    /// Counts the errors that are passed on.
    private final class Errors: ChannelInboundHandler {
        typealias InboundIn = any Channel
        var count = 0

        func errorCaught(context: ChannelHandlerContext, error: any Error) { count += 1 }
    }

    private let socket = Socket()
    private let errors = Errors()
    private let log = LogLines()

    private func listener(limit: Int) throws -> EmbeddedChannel {
        let logger = Logger(label: "test") { _ in log.handler }
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandlers([
            socket, AcceptGuard(limit: limit, listener: "test", logger: logger), errors,
        ])
        return channel
    }

    @Test("at the limit, no connection is accepted until one is closed")
    func limit() throws {
        let channel = try listener(limit: 2)
        let accepted = [EmbeddedChannel(), EmbeddedChannel()]
        for child in accepted {
            channel.read()
            channel.pipeline.fireChannelRead(child as any Channel)
        }
        #expect(socket.reads == 2)
        #expect(log.all.isEmpty)
        channel.read()
        channel.read()
        #expect(socket.reads == 2)
        #expect(log.all == ["no further connection is accepted until one is closed connections=2"])
        accepted[0].close(promise: nil)
        accepted[0].embeddedEventLoop.run()
        channel.embeddedEventLoop.run()
        #expect(socket.reads == 3)
    }

    @Test(
        "a failed accept does not end the listener, and is retried after a moment",
        "a failure to accept is no end of the listener, and is retried after a moment",
        arguments: [EMFILE, ECONNABORTED])
    func failure(_ number: Int32) throws {
        let channel = try listener(limit: 2)
        for _ in 0..<3 {
            channel.pipeline.fireErrorCaught(IOError(errnoCode: number, reason: "accept"))
            channel.read()
        }
        #expect(socket.reads == 0 && errors.count == 0)
        #expect(log.all.count == 1)
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(socket.reads == 1)
        channel.read()
        #expect(socket.reads == 2)
    }
}
