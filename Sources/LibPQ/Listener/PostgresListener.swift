public import Logging
import Synchronization

/// A listener on notification channels, with its own connection, active while `run()` runs.
///
/// Every `pingInterval`, it sends a notification to itself to prove that notifications arrive, and reconnects if they
/// do not. Notifications are hints: a consumer that needs complete data reads again at each `.listening(gap: true)`.
public final class PostgresListener: Sendable {
    /// An event of a listener.
    public enum Event: Hashable, Sendable {
        /// Listening was just confirmed, by a LISTEN or by a ping that arrived. With `gap`, notifications may have been
        /// missed since the previous event. That is always so after a LISTEN, and when the consumer read events too
        /// slowly.
        case listening(gap: Bool)
        case notification(channel: String, payload: String)
        /// The connection broke, or notifications no longer arrived. A new connection is being opened.
        case lost
    }

    /// The events in order, for one consumer. At most 1024 are buffered; dropped ones show as a gap.
    public let events: AsyncStream<Event>

    private let target: PostgresTarget
    private let channels: [String]
    private let pingInterval: Duration
    private let logger: Logger
    private let sink: EventSink
    private let warnings = WarningPace()

    /// Creates a listener. `pingInterval` is also the time that a ping has to arrive, limited to 5 s.
    public init(
        target: PostgresTarget, channels: [String], pingInterval: Duration = .seconds(10), logger: Logger
    ) {
        self.target = target
        self.channels = channels
        self.pingInterval = pingInterval
        self.logger = logger
        let (events, continuation) = AsyncStream.makeStream(of: Event.self, bufferingPolicy: .bufferingOldest(1024))
        self.events = events
        sink = EventSink(continuation)
    }

    /// Listens until the task is cancelled, then ends `events`. Call it only once.
    public func run() async {
        var backoff = Backoff()
        while !Task.isCancelled {
            do throws(PostgresError) {
                try await listen {
                    backoff.succeeded()
                    warnings.reset()
                }
            } catch {
                if Task.isCancelled { break }
                if warnings.isDue() {
                    logger.warning("listening for database notifications failed", metadata: ["error": "\(error)"])
                }
            }
            sink.lose()
            try? await Task.sleep(for: backoff.failed(fraction: .random(in: 0...1)))
        }
        sink.finish()
    }

    /// Runs one connection. Returns or throws when the connection no longer works.
    private func listen(_ succeeded: () -> Void) async throws(PostgresError) {
        let (events, feed) = AsyncStream.makeStream(of: ListenerState.Event.self)
        let bound = min(pingInterval, .seconds(5))
        let ownChannel = Mutex("")
        let connection = try await PostgresConnection.connect(
            to: target, settings: ConnectionSettings(queryTimeout: bound), logger: logger
        ) { [sink] event in
            switch event {
            case .closed: feed.yield(.failed)
            case .notification(let channel, let payload):
                if channel == ownChannel.withLock({ $0 }) {
                    if let number = UInt64(payload) { feed.yield(.echo(number)) }
                } else {
                    sink.deliver(channel: channel, payload: payload)
                }
            }
        }
        defer { connection.abandon() }
        let process = try await connection.query("SELECT pg_backend_pid()")
        let pingChannel = "_keyward_ping_\(try process.rows.first?.int32(0) ?? 0)"
        ownChannel.withLock { $0 = pingChannel }
        for channel in channels + [pingChannel] {
            try await connection.execute(script: "LISTEN \(channel.quotedIdentifier)")
        }
        sink.confirm(gap: true)
        succeeded()
        await follow(connection, events, feed, pingChannel: pingChannel, bound: bound)
    }

    private func follow(
        _ connection: PostgresConnection, _ events: AsyncStream<ListenerState.Event>,
        _ feed: AsyncStream<ListenerState.Event>.Continuation, pingChannel: String, bound: Duration
    ) async {
        await withDiscardingTaskGroup { group in
            func schedule(_ event: ListenerState.Event, after delay: Duration) {
                group.addTask {
                    try? await Task.sleep(for: delay)
                    feed.yield(event)
                }
            }
            var state = ListenerState()
            schedule(.intervalPassed, after: pingInterval)
            listening: for await event in events {
                switch state.receive(event) {
                case .nothing: break
                case .giveUp: break listening
                case .confirm:
                    sink.confirm(gap: false)
                    schedule(.intervalPassed, after: pingInterval)
                case .ping(let number):
                    schedule(.boundPassed(number), after: bound)
                    group.addTask {
                        do throws(PostgresError) {
                            _ = try await connection.query(
                                "SELECT pg_notify($1, $2)", [.text(pingChannel), .text("\(number)")])
                        } catch {
                            feed.yield(.failed)
                        }
                    }
                }
            }
            group.cancelAll()
        }
    }
}

/// The producer of events, which keeps the guarantees about gaps.
private final class EventSink: Sendable {
    private enum Phase { case disconnected, listening, overflowed }

    private let continuation: AsyncStream<PostgresListener.Event>.Continuation
    private let phase = Mutex(Phase.disconnected)

    init(_ continuation: AsyncStream<PostgresListener.Event>.Continuation) { self.continuation = continuation }

    func confirm(gap: Bool) {
        phase.withLock { phase in
            phase = yield(.listening(gap: gap || phase != .listening)) ? .listening : .overflowed
        }
    }

    func deliver(channel: String, payload: String) {
        phase.withLock { phase in
            // LISTEN is not confirmed yet: the gap that is reported then covers this notification.
            if phase == .disconnected { return }
            if phase == .overflowed {
                guard yield(.listening(gap: true)) else { return }
                phase = .listening
            }
            if !yield(.notification(channel: channel, payload: payload)) { phase = .overflowed }
        }
    }

    func lose() {
        phase.withLock { phase in
            if phase != .disconnected { _ = yield(.lost) }
            phase = .disconnected
        }
    }

    func finish() { continuation.finish() }

    private func yield(_ event: PostgresListener.Event) -> Bool {
        if case .enqueued = continuation.yield(event) { true } else { false }
    }
}
