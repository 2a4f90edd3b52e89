import AuthKeys
import ControlBodies
import KeyAdministration
import NIOCore
import NIOFoundationEssentialsCompat
import ServiceLifecycle

/// The server-sent events of a tail (HTML Standard section 9.2).
///
/// Each line is one event, whose id is its position. An event `skipped` has the number of lines that were left out.
/// While no lines arrive, a comment shows that the connection is alive, and the id moves on.
struct TailStream: Sendable {
    private static let interval = Duration.seconds(1)
    private static let heartbeat = Duration.seconds(10)
    /// The time after which a client reconnects, in milliseconds.
    private static let retry = 2_000

    private var tail: RequestTail
    private let context: ControlContext
    /// The time of the last event or comment; nil before the first one.
    private var sentAt: ContinuousClock.Instant?

    init(tail: RequestTail, context: ControlContext) {
        self.tail = tail
        self.context = context
    }

    /// Returns the next events as soon as there are any; nil at shutdown. Throws when the client has left.
    mutating func next() async throws -> ByteBuffer? {
        while true {
            if sentAt != nil {
                await cancelWhenGracefulShutdown { try? await Task.sleep(for: Self.interval) }
                try Task.checkCancellation()
                if Task.isShuttingDownGracefully { return nil }
                guard context.channel.isActive else { throw ChannelError.ioOnClosedChannel }
                try await context.authorizeAgain()
            }
            let now = Timestamp.now
            let batch: RequestTail.Batch
            do throws(AuthKeyError) {
                batch = try await tail.poll(now: now)
            } catch {
                throw context.apiError(error)
            }
            var events = ByteBuffer()
            if sentAt == nil { events.writeString("retry: \(Self.retry)\n") }
            for line in batch.lines { try Self.write(line, to: &events) }
            if batch.skipped > 0 {
                events.writeString("event: skipped\ndata: {\"skipped\":\(batch.skipped)}\n\n")
            }
            if batch.lines.isEmpty, sentAt.map({ .now - $0 >= Self.heartbeat }) ?? true {
                events.writeString(": alive\nid: \(RequestCursor(before: now).encoded)\n\n")
            }
            if events.readableBytes > 0 {
                sentAt = .now
                return events
            }
        }
    }

    private static func write(_ line: LoggedRequest, to events: inout ByteBuffer) throws {
        events.writeString("id: \(RequestCursor(after: line).encoded)\ndata: ")
        events.writeData(try JSONBody.bytes(RequestJSON(line)))
        events.writeString("\n\n")
    }
}
