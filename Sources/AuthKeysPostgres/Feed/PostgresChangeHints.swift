public import AuthKeys
public import LibPQ
public import Logging

/// Hints from LISTEN on a connection of its own. Every time it listens anew, that is a hint too: what was announced in the gap
/// is not lost but late.
public final class PostgresChangeHints: ChangeHints {
    public let hints: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    private let listener: PostgresListener

    /// - Parameter target: a database URL that leads straight to PostgreSQL (a transaction pooler cannot LISTEN).
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
