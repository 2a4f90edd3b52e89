import CLibPQ
import Dispatch
import Synchronization

/// Asks the server to cancel the running statement of a connection (libpq, "Canceling Queries in Progress").
final class CancelRequest: @unchecked Sendable {
    // Unchecked: a PGcancel is constant after its creation, and PQcancel "can be safely invoked from another thread".
    private let pointer: OpaquePointer

    /// PQcancel blocks, for minutes if the server is unreachable. It therefore runs on a few threads of its own.
    private static let queue = DispatchQueue(label: "libpq.cancel", attributes: .concurrent)
    private static let underWay = Atomic(0)
    private static let maximumUnderWay = 8

    init?(connection: OpaquePointer) {
        guard let pointer = PQgetCancel(connection) else { return nil }
        self.pointer = pointer
    }

    deinit { PQfreeCancel(pointer) }

    /// Sends the request. `completion` runs when the server has accepted the request, or when it is clear that it will
    /// not. Returns false and does nothing when too many earlier requests hang.
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
