import Dispatch
import Testing

@testable import LibPQ

@Suite("Calls with a task executor preference", .timeLimit(.minutes(5)))
struct TaskExecutorTests {
    private final class QueueExecutor: TaskExecutor {
        private let queue = DispatchQueue(label: "test", attributes: .concurrent)

        func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
        }
    }

    @Test("no call waits until its timeout, although each await within the connection suspends")
    func results() async throws {
        try await withPool(settings: .init(queryTimeout: .seconds(10))) { pool in
            let longest = try await withTaskExecutorPreference(QueueExecutor()) {
                try await withThrowingTaskGroup(of: Duration.self) { group in
                    for _ in 0..<4 {
                        group.addTask {
                            var longest = Duration.zero
                            for number in 0..<500 {
                                let start = ContinuousClock.now
                                _ = try await pool.transaction {
                                    try await $0.query("SELECT $1", [.int32(Int32(number))])
                                }
                                longest = max(longest, .now - start)
                            }
                            return longest
                        }
                    }
                    return try await group.reduce(.zero) { max($0, $1) }
                }
            }
            #expect(longest < .seconds(8))
        }
    }

    @Test("a call that is woken before it is suspended continues at once")
    func wokenBefore() async {
        var table = WaitTable()
        let (first, second) = (table.newTicket(until: .now), table.newTicket(until: .now + .seconds(60)))
        #expect(Set(table.tickets) == [first, second] && table.overdue(at: .now) == [first])
        #expect(table.wake(first, .ready) == nil && table.wake(first, .closed) == nil)
        #expect(table.overdue(at: .now).isEmpty)
        let wake = await withCheckedContinuation { continuation in
            if let wake = table.suspend(first, continuation) { continuation.resume(returning: wake) }
        }
        #expect(wake == .ready && table.tickets == [second])
        table.discard(second)
        #expect(table.earliestDeadline == nil)
    }
}
