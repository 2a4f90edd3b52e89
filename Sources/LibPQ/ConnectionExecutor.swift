import Dispatch

/// The one thread of control that may touch a connection: an actor's executor and the queue of its sockets' events are the
/// same serial queue. libpq may block in it (name resolution) without holding up the cooperative pool.
final class ConnectionExecutor: SerialExecutor {
    let queue = DispatchQueue(label: "libpq.connection")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    /// Called by the runtime where code claims to be on this executor: true in the queue's own event handlers too.
    func checkIsolated() { dispatchPrecondition(condition: .onQueue(queue)) }
}
