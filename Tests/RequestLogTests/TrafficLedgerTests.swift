import AuthKeys
import TestSupport
import Testing

@testable import RequestLog

@Suite("Traffic ledger")
struct TrafficLedgerTests {
    /// Counts requests without any trick.
    private struct Model {
        var minutes: [MinuteCount.Group: TrafficSum] = [:]
        var hours: [HourCount.Group: TrafficTotals] = [:]

        mutating func count(_ line: TestLine) {
            let seconds = (line.at.microseconds + line.microseconds) / 1_000_000
            var sum = TrafficSum()
            (sum.requests, sum.bytesIn, sum.bytesOut) = (1, line.bytesIn, line.bytesOut)
            (sum.microseconds, sum.durations) = (line.microseconds, DurationCounts())
            sum.durations.count(microseconds: line.microseconds)
            let group = MinuteCount.Group(
                minute: seconds / 60, surface: line.surface, outcome: line.outcome, code: line.code ?? "")
            minutes[group, default: TrafficSum()].add(sum)
            guard let keyID = line.keyID else { return }
            var totals = TrafficTotals()
            totals.add(sum, outcome: line.outcome)
            hours[HourCount.Group(keyID: keyID, hour: seconds / 3_600), default: TrafficTotals()].add(totals)
        }

        /// Returns the counts of a ledger, as a model.
        init(_ counts: [TrafficCounts] = []) {
            for counts in counts {
                for minute in counts.minutes { minutes[minute.group, default: TrafficSum()].add(minute.sum) }
                for hour in counts.hours { hours[hour.group, default: TrafficTotals()].add(hour.totals) }
            }
        }
    }

    private static let codes: [String?] = [nil, nil, nil, "key_expired", "upstream_unreachable_for_a_while", "", "x"]

    private static func line(_ random: inout SeededRandom, at microseconds: Int64) -> TestLine {
        var line = TestLine()
        line.at = Timestamp(microseconds: microseconds)
        line.surface = RequestSurface.allCases.randomElement(using: &random) ?? .gateway
        line.outcome = RequestOutcome.allCases.randomElement(using: &random) ?? .allowed
        line.code = codes.randomElement(using: &random) ?? nil
        // Some keys differ only in the high half of their ids.
        let key = UInt64.random(in: 0..<300, using: &random)
        line.keyID = key < 60 ? nil : KeyID(high: key, low: key % 7)
        line.microseconds = Int64.random(in: 0...(1 << Int64.random(in: 1...34, using: &random)), using: &random)
        line.bytesIn = Int64.random(in: 0...5_000, using: &random)
        line.bytesOut = Int64.random(in: 0...500_000, using: &random)
        return line
    }

    @Test("random requests across minutes and hours are counted as by a naive model")
    func model() {
        var random = SeededRandom(state: 7)
        for _ in 0..<20 {
            var (ledger, model, taken) = (TrafficLedger(), Model(), [TrafficCounts]())
            let start = Int64.random(in: 0..<2_000_000_000_000_000, using: &random)
            for number in 0..<3_000 {
                // Times also go back, as those of long requests do.
                let at = start + Int64(number) * 1_500_000 + Int64.random(in: -9_000_000...9_000_000, using: &random)
                let line = Self.line(&random, at: max(0, at))
                line.with { ledger.count($0) }
                model.count(line)
                if Int.random(in: 0..<400, using: &random) == 0 { taken.append(ledger.take()) }
            }
            taken.append(ledger.take())
            let counted = Model(taken)
            #expect(counted.minutes == model.minutes)
            #expect(counted.hours == model.hours)
            #expect(ledger.isEmpty && ledger.take().isEmpty && ledger.began == nil)
        }
    }

    @Test("a request belongs to the minute and the hour in which it ended")
    func end() throws {
        var ledger = TrafficLedger()
        let hour: Int64 = 3_600_000_000
        for (at, duration) in [(hour - 2, Int64(1)), (hour - 1, 1), (hour - 1, 0), (0, hour)] {
            let line = TestLine.with { ($0.at, $0.microseconds) = (Timestamp(microseconds: at), duration) }
            line.with { ledger.count($0) }
        }
        let counts = ledger.take()
        #expect(counts.minutes.map(\.group.minute) == [59, 60] && counts.minutes.map(\.sum.requests) == [2, 2])
        #expect(counts.hours.map(\.group.hour) == [0, 1] && counts.hours.map(\.totals.sum.requests) == [2, 2])
        #expect(counts.hours.map(\.startsAt.microseconds) == [0, hour])
        #expect(counts.minutes.map(\.startsAt.microseconds) == [hour - 60_000_000, hour])
    }

    @Test("requests with too many codes are counted without their code")
    func limit() {
        var ledger = TrafficLedger()
        for number in 0..<(TrafficLedger.minutesLimit + 100) {
            var line = TestLine()
            line.code = "code \(number)"
            line.with { ledger.count($0) }
        }
        let counts = ledger.take()
        #expect(counts.minutes.count == TrafficLedger.minutesLimit + 1)
        #expect(counts.minutes.last?.group.code == TrafficLedger.otherCode && counts.minutes.last?.sum.requests == 100)
        #expect(counts.hours.map(\.totals.sum.requests) == [Int64(TrafficLedger.minutesLimit + 100)])
    }
}
