import AuthKeys
import TestSupport
import Testing

@testable import RequestLog

@Suite("Live traffic")
struct LiveTrafficTests {
    private let clock = ManualClock()

    private func counts(_ requests: [(key: UInt64, outcome: RequestOutcome, microseconds: Int64)]) -> TrafficCounts {
        var ledger = TrafficLedger()
        for request in requests {
            let line = TestLine.with {
                ($0.keyID, $0.outcome) = (KeyID(high: 0, low: request.key), request.outcome)
                $0.microseconds = request.microseconds
            }
            line.with { ledger.count($0) }
        }
        return ledger.take()
    }

    private func requests(_ figures: [String: JSONValue]) -> [String: Int64] {
        guard case .object(let members)? = figures["requests"] else { return [:] }
        return members.compactMapValues { value in if case .integer(let number) = value { number } else { nil } }
    }

    @Test("the figures have the requests of the window by outcome, their durations and the busiest keys")
    func figures() {
        let live = LiveTraffic(time: clock.source)
        let many = (0..<25).flatMap { key in
            Array(repeating: (UInt64(key), RequestOutcome.allowed, Int64(800)), count: key + 1)
        }
        live.add(counts(many))
        live.add(counts([(3, .denied, 20), (99, .failed, 4_000_000)]))
        let figures = live.figures()
        #expect(requests(figures) == ["allowed": 325, "denied": 1, "limited": 0, "failed": 1, "terminated": 0])
        guard case .array(let busiest)? = figures["busiest_keys"], case .number(let median)? = figures["p50_ms"] else {
            Issue.record("\(figures)")
            return
        }
        #expect(busiest.count == LiveTraffic.busiestLimit && median > 0.5 && median <= 1)
        let first = JSONValue.object([
            "auth_key_id": .string(KeyID(high: 0, low: 24).description), "requests": .integer(25),
        ])
        #expect(busiest.first == first)
    }

    @Test("requests leave the figures after the window")
    func window() {
        let live = LiveTraffic(time: clock.source)
        live.add(counts([(1, .allowed, 1)]))
        clock.advance(by: LiveTraffic.window)
        #expect(requests(live.figures())["allowed"] == 1)
        clock.advance(by: .milliseconds(1))
        #expect(requests(live.figures())["allowed"] == 0 && live.figures()["p50_ms"] == nil)
    }
}
