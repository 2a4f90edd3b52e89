import NIOCore
import Testing

@testable import ControlAPI

@Suite("Connection progress")
struct ConnectionProgressTests {
    private static let limits: ConnectionLimits = {
        var limits = ConnectionLimits()
        limits.requestHead = .seconds(10)
        limits.requestBody = .seconds(30)
        limits.idle = .seconds(60)
        return limits
    }()

    private func second(_ number: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .seconds(number) }

    private func opened() -> ConnectionProgress {
        ConnectionProgress(limits: Self.limits, openedAt: second(0))
    }

    @Test("the timeout of the first head starts at the opening, of later ones at their first byte")
    func heads() {
        var progress = opened()
        #expect(progress.deadline == second(10) && progress.evictableSince == second(0))
        progress.receivedBytes(at: second(3))
        progress.receivedBytes(at: second(6))
        #expect(progress.deadline == second(10) && progress.evictableSince == second(0))
        progress.receivedHead(isStreamed: false, at: second(7))
        #expect(progress.deadline == second(37))
        progress.receivedEnd(at: second(8))
        #expect(progress.deadline == nil && progress.evictableSince == second(8))
        progress.answered(at: second(9))
        #expect(progress.deadline == second(69) && progress.evictableSince == second(9))
        progress.receivedBytes(at: second(20))
        progress.receivedBytes(at: second(25))
        #expect(progress.deadline == second(30))
    }

    @Test("a body has a timeout, unless its route has its own")
    func bodies() {
        var progress = opened()
        progress.receivedHead(isStreamed: false, at: second(1))
        progress.receivedBytes(at: second(20))
        #expect(progress.deadline == second(31) && progress.evictableSince == second(1))
        progress.answered(at: second(21))
        #expect(progress.deadline == second(31), "an early response does not extend the timeout")
        var streamed = opened()
        streamed.receivedHead(isStreamed: true, at: second(1))
        #expect(streamed.deadline == nil && streamed.evictableSince == second(1))
    }

    @Test("there is no deadline during pipelined requests, and the next head's timeout starts after them")
    func pipelined() {
        var progress = opened()
        for moment in [Int64(1), 2] {
            progress.receivedHead(isStreamed: false, at: second(moment))
            progress.receivedEnd(at: second(moment))
        }
        progress.receivedBytes(at: second(3))
        #expect(progress.evictableSince == second(1), "a later request is no progress of the first one")
        progress.answered(at: second(40))
        #expect(progress.deadline == nil && progress.evictableSince == second(40))
        progress.answered(at: second(41))
        #expect(progress.deadline == second(51))
    }

    @Test("a response that is not read has the idle timeout, and does not protect the connection")
    func blocked() {
        var progress = opened()
        progress.receivedHead(isStreamed: false, at: second(1))
        progress.receivedEnd(at: second(1))
        progress.changedWritability(to: false, at: second(5))
        progress.changedWritability(to: false, at: second(9))
        #expect(progress.deadline == second(65) && progress.evictableSince == second(1))
        progress.changedWritability(to: true, at: second(20))
        #expect(progress.deadline == nil && progress.evictableSince == second(1))
    }

    @Test("a valid admin credential protects the connection until one is refused")
    func authenticated() {
        var progress = opened()
        progress.isAuthenticated = true
        #expect(progress.evictableSince == nil && progress.deadline == second(10), "an idle connection is still closed")
        progress.isAuthenticated = false
        #expect(progress.evictableSince == second(0))
    }
}
