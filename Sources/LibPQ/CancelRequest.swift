import CLibPQ
import Dispatch
import Synchronization

/// Asks the server to cancel what a connection is doing (libpq, "Canceling Queries in Progress").
final class CancelRequest: @unchecked Sendable {
    // Unchecked: a PGcancel is constant once made, and PQcancel "can be safely invoked from another thread".
    private let pointer: OpaquePointer

    /// PQcancel blocks, for minutes if the server is not there: it has threads of its own, and few of them.
    private static let queue = DispatchQueue(label: "libpq.cancel", attributes: .concurrent)
    private static let underWay = Atomic(0)
    private static let maximumUnderWay = 8

    init?(connection: OpaquePointer) {
        guard let pointer = PQgetCancel(connection) else { return nil }
        self.pointer = pointer
    }

    deinit { PQfreeCancel(pointer) }

    /// Sends the request; `completion` runs when the server has taken it, or it is clear that it will not. Returns false
    /// and does nothing when too many earlier requests hang.
    func send(completion: @escaping @Sendable () -> Void) -> Bool {
        let (_, count) = Self.underWay.add(1, ordering: .relaxed)
        guard count <= Self.maximumUnderWay else {
            Self.underWay.subtract(1, ordering: .relaxed)
            return false
        }
        Self.queue.async {
            var message: [CChar] = Array(repeating: 0, count: 256)
            PQcancel(self.pointer, &message, Int32(message.count))
            Self.underWay.subtract(1, ordering: .relaxed)
            completion()
        }
        return true
    }
}
