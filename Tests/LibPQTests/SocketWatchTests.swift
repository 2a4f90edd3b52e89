import Dispatch
import Glibc
import TestSupport
import Testing

@testable import LibPQ

@Suite("SocketWatch") struct SocketWatchTests {
    private func socketPair() throws -> (Int32, Int32) {
        var ends: [Int32] = [0, 0]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else { throw Failure(what: "socketpair") }
        return (ends[0], ends[1])
    }

    @Test("a hang-up behind unread data is reported after the data") func hangUp() async throws {
        let (near, far) = try socketPair()
        var byte: UInt8 = 7
        write(far, &byte, 1)
        close(far)
        let counts = Shared<[Int]>([])
        let queue = DispatchQueue(label: "test")
        let watch = try #require(
            SocketWatch(socket: near, queue: queue) {
                var byte: UInt8 = 0
                let count = read(near, &byte, 1)
                counts.withLock { $0.append(count) }
            })
        try await eventually("the report of the end") { counts.withLock { $0.contains(0) } }
        #expect(counts.withLock { $0.prefix(2) } == [1, 0])
        queue.sync { watch.cancel() }
        close(near)
    }

    /// Runs `body` repeatedly on many threads, each with its own queue and socket pairs.
    private func fromManyThreads(
        rounds: Int,
        _ body: @escaping @Sendable (_ near: Int32, _ far: Int32, DispatchQueue) async throws -> SocketWatch
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    let queue = DispatchQueue(label: "test")
                    for _ in 0..<rounds {
                        let (near, far) = try socketPair()
                        let watch = try await body(near, far, queue)
                        queue.sync { watch.cancel() }
                        close(near)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    @Test("input from before the watch is reported repeatedly") func earlierInput() async throws {
        try await fromManyThreads(rounds: 500) { near, far, queue in
            close(far)
            let count = Shared(0)
            let watch = try #require(SocketWatch(socket: near, queue: queue) { count.withLock { $0 += 1 } })
            // The first event may come before the watch is returned, and has to arm the next one.
            try await eventually("the second report of the input") { count.withLock { $0 } >= 2 }
            return watch
        }
    }

    @Test("nothing is reported after cancelling") func cancelledWatch() async throws {
        let (near, far) = try socketPair()
        let events = Shared(0)
        let queue = DispatchQueue(label: "test")
        let watch = try #require(SocketWatch(socket: near, queue: queue) { events.withLock { $0 += 1 } })
        queue.sync { watch.cancel() }
        // Another watch, perhaps with the same descriptor number, gets only its own events.
        let others = Shared(0)
        let other = try #require(SocketWatch(socket: near, queue: queue) { others.withLock { $0 += 1 } })
        close(far)
        try await eventually("the event of the other watch") { others.withLock { $0 } > 0 }
        queue.sync { other.cancel() }
        #expect(events.withLock { $0 } == 0)
        close(near)
    }

    @Test("watches of broken sockets can be created and cancelled on many threads") func brokenSockets() async throws {
        try await fromManyThreads(rounds: 300) { near, far, queue in
            let (events, end) = AsyncStream.makeStream(of: Never.self)
            let watch = try #require(SocketWatch(socket: near, queue: queue) { end.finish() })
            close(far)
            for await _ in events {}
            return watch
        }
    }
}
