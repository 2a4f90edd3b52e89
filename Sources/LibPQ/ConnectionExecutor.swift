import Dispatch

/// The serial queue that is both an actor's executor and the queue of its socket events. Only one thread at a time
/// touches a connection. libpq may block on the queue (name resolution) without blocking the cooperative thread pool.
final class ConnectionExecutor: SerialExecutor {
    let queue = DispatchQueue(label: "libpq.connection")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    /// Called by the runtime to check that code runs on this executor. The check also passes in event handlers on the
    /// queue.
    func checkIsolated() { dispatchPrecondition(condition: .onQueue(queue)) }
}
