public import AuthKeys
public import LibPQ
public import Logging

/// Hints from LISTEN on its own connection. Each reconnection is a hint too, so that a change announced in the gap is
/// late but not lost.
public final class PostgresChangeHints: ChangeHints {
    public let hints: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    private let listener: PostgresListener

    /// - Parameter target: a direct connection to PostgreSQL (a transaction pooler does not support LISTEN).
    public init(target: PostgresTarget, logger: Logger) {
        (hints, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        listener = PostgresListener(target: target, channels: [ChangeNotifier.channel], logger: logger)
    }

    /// Listens until the task is cancelled.
    public func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.listener.run() }
            for await event in listener.events {
                switch event {
                case .listening(gap: true), .notification: continuation.yield()
                case .listening(gap: false), .lost: break
                }
            }
        }
    }
}
