import Dispatch
import Glibc
import TestSupport
import Testing

@testable import LibPQ

extension PostgresConnection {
    fileprivate func checkExecutor() {
        preconditionIsolated()
        dispatchPrecondition(condition: .onQueue(executor.queue))
    }
}

@Suite("Connection executor and waits") struct ExecutorTests {
    @Test("the actor runs on its own queue") func ownQueue() async throws {
        try await withConnection { connection in
            await connection.checkExecutor()
            _ = try await connection.query("SELECT 1")
            await connection.checkExecutor()
            let count = try await connection.copyOut("COPY (SELECT 1) TO STDOUT (FORMAT binary)") { _ in
                connection.preconditionIsolated()
            }
            #expect(count == 1)
        }
    }

    @Test("turns are granted in the order of the requests") func turnOrder() {
        var queue = TurnQueue()
        let first = queue.request(1)
        let later = [queue.request(2), queue.request(3), queue.request(4)]
        #expect(first && later == [false, false, false])
        queue.withdraw(3)
        #expect(queue.release() == 2)
        #expect(queue.release() == 4)
        #expect(queue.release() == nil)
        let afterwards = queue.request(5)
        #expect(afterwards)
    }

    @Test("a timer is set only for an earlier deadline") func timers() {
        var waits = WaitTable()
        let now = ContinuousClock.now
        #expect(waits.timerToSet(for: now + .seconds(2)) == now + .seconds(2))
        #expect(waits.timerToSet(for: now + .seconds(3)) == nil)
        #expect(waits.timerToSet(for: now + .seconds(1)) == now + .seconds(1))
        let superseded = waits.timerFired(now + .seconds(2))
        let current = waits.timerFired(now + .seconds(1))
        #expect(!superseded && current)
        #expect(waits.timerToSet(for: now + .seconds(3)) != nil)
    }

    @Test("opening and closing many connections leaks no descriptors") func descriptorLeaks() async throws {
        func descriptors() -> Int {
            (0..<1024).count { fcntl(Int32($0), F_GETFD) >= 0 }
        }
        let before = descriptors()
        for _ in 0..<20 {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<5 {
                    group.addTask { try await withConnection { _ = try await $0.query("SELECT 1") } }
                }
                try await group.waitForAll()
            }
        }
        // Other tests hold descriptors at the same time. A leak would be at least a hundred.
        try await eventually("descriptors to be closed") { descriptors() < before + 80 }
    }
}
