import AuthKeys
import HTTPCredentials
import Synchronization

/// The slots that a request holds in concurrency limits. They are given back once: when the response is sent, or when
/// the last reference goes, if the app sends no response or another one.
final class HeldSlots: Sendable {
    private let slots: Mutex<LimitTicket>
    private let requests: RequestVerifier

    init(_ slots: LimitTicket, of requests: RequestVerifier) {
        self.slots = Mutex(slots)
        self.requests = requests
    }

    func release() {
        slots.withLock { requests.release(&$0) }
    }

    deinit { release() }
}
