import CLibPQ
import Dispatch
import Glibc
import Synchronization

/// Waits for the sockets of all connections, with one epoll instance and one thread.
///
/// DispatchSource is not suitable. On Linux it drops a source once a hang-up is reported, even with unread input
/// (libdispatch, `event_epoll.c`, `_dispatch_event_merge_hangup`). It also crashes when sources on broken sockets are
/// created and released quickly (swift-corelibs-libdispatch, issue 949).
final class SocketPoller: Sendable {
    static let shared = SocketPoller()

    private struct State {
        var epoll: Int32?
        var lastToken: UInt64 = 0
        var handlers: [UInt64: @Sendable () -> Void] = [:]
    }

    private let state = Mutex(State())

    /// Calls `handler` once, on the poller's thread, when `descriptor` is readable, and again after each `arm`. The
    /// handler receives the token, since it may run before this method returns. Returns nil if the system refuses.
    func add(_ descriptor: Int32, handler: @escaping @Sendable (_ token: UInt64) -> Void) -> UInt64? {
        state.withLock { state in
            guard let epoll = state.epoll ?? start() else { return nil }
            state.epoll = epoll
            // Tokens are never reused, so an event of a removed descriptor finds no handler.
            state.lastToken += 1
            let token = state.lastToken
            guard Self.control(epoll, EPOLL_CTL_ADD, descriptor, token, write: false) else { return nil }
            state.handlers[token] = { handler(token) }
            return token
        }
    }

    func arm(_ descriptor: Int32, token: UInt64, write: Bool) {
        guard let epoll = state.withLock({ $0.epoll }) else { return }
        _ = Self.control(epoll, EPOLL_CTL_MOD, descriptor, token, write: write)
    }

    /// Stops watching. Call it before `descriptor` is closed.
    func remove(_ descriptor: Int32, token: UInt64) {
        state.withLock { state in
            state.handlers[token] = nil
            if let epoll = state.epoll { _ = epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, nil) }
        }
    }

    private func start() -> Int32? {
        let epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { return nil }
        DispatchQueue(label: "libpq.poller").async { self.run(epoll) }
        return epoll
    }

    private func run(_ epoll: Int32) {
        var events: [epoll_event] = Array(repeating: epoll_event(), count: 64)
        while true {
            let count = epoll_wait(epoll, &events, Int32(events.count), -1)
            for event in events.prefix(Int(max(0, count))) {
                let handler = state.withLock { $0.handlers[event.data.u64] }
                handler?()
            }
        }
    }

    private static func control(
        _ epoll: Int32, _ operation: Int32, _ descriptor: Int32, _ token: UInt64, write: Bool
    ) -> Bool {
        let events = EPOLLIN.rawValue | (write ? EPOLLOUT.rawValue : 0) | EPOLLONESHOT.rawValue
        var event = epoll_event(events: events, data: epoll_data_t(u64: token))
        return epoll_ctl(epoll, operation, descriptor, &event) == 0
    }
}
