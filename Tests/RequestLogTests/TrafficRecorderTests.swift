import AuthKeys
import Logging
import Synchronization
import TestSupport
import Testing

@testable import RequestLog

/// Adds up batches in memory, as a database does. It can fail before or after a batch is stored.
private final class CountingStore: TrafficStore {
    enum Fault { case before, after }

    struct State {
        var faults: [Fault] = []
        var batches: [TrafficBatch] = []
        var last: Int64 = 0
        var minutes: [MinuteCount.Group: TrafficSum] = [:]
        var hours: [HourCount.Group: TrafficTotals] = [:]
    }

    let state = Mutex(State())

    func write(_ batch: TrafficBatch) async throws(StoreError) {
        let fault = state.withLock { state in
            let fault = state.faults.isEmpty ? nil : state.faults.removeFirst()
            state.batches.append(batch)
            guard fault != .before, batch.number > state.last else { return fault }
            state.last = batch.number
            switch batch.content {
            case .minutes(let counts):
                for count in counts { state.minutes[count.group, default: TrafficSum()].add(count.sum) }
            case .hours(let counts):
                for count in counts { state.hours[count.group, default: TrafficTotals()].add(count.totals) }
            }
            return fault
        }
        if fault != nil { throw StoreError(.unavailable, detail: "fault") }
    }

    var requests: (minutes: Int64, hours: Int64) {
        state.withLock { state in
            (
                state.minutes.values.reduce(0) { $0 + $1.requests },
                state.hours.values.reduce(0) { $0 + $1.sum.requests }
            )
        }
    }
}

@Suite("Traffic recorder")
struct TrafficRecorderTests {
    private let store = CountingStore()
    private let clock = ManualClock()
    private var recorder: TrafficRecorder {
        TrafficRecorder(
            store: store, time: clock.source, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Returns counts of one request for each of some keys.
    private func counts(keys: Range<UInt64>, hour: Int64 = 0) -> TrafficCounts {
        var ledger = TrafficLedger()
        for key in keys {
            let line = TestLine.with {
                ($0.at, $0.microseconds) = (Timestamp(microseconds: hour * 3_600_000_000), 0)
                $0.keyID = KeyID(high: 0, low: key)
            }
            line.with { ledger.count($0) }
        }
        return ledger.take()
    }

    @Test("each request is written once, whatever fails and when")
    func faults() async {
        var random = SeededRandom(state: 3)
        let recorder = self.recorder
        var requests: Int64 = 0
        for round in 0..<200 {
            let keys = UInt64.random(in: 1...1_300, using: &random)
            requests += Int64(keys)
            recorder.add(counts(keys: 0..<keys, hour: Int64(round % 5)))
            let faults = (0..<Int.random(in: 0...3, using: &random)).map { _ in
                Bool.random(using: &random) ? CountingStore.Fault.before : .after
            }
            store.state.withLock { $0.faults = faults }
            #expect(await recorder.flush() == faults.isEmpty)
        }
        store.state.withLock { $0.faults = [] }
        #expect(await recorder.flush())
        #expect(store.requests == (requests, requests))
        // A batch is repeated with its number and content, and no other overtakes it.
        let batches = store.state.withLock { $0.batches }
        for (one, next) in zip(batches, batches.dropFirst()) {
            #expect(next.number == one.number + 1 || next.number == one.number && next.requests == one.requests)
        }
    }

    @Test("batches have at most 500 groups, in the order of key and hour")
    func batches() async {
        let recorder = self.recorder
        recorder.add(counts(keys: 0..<1_100, hour: 2))
        recorder.add(counts(keys: 0..<1_100, hour: 1))
        await recorder.flush()
        var hours: [HourCount] = []
        for batch in store.state.withLock({ $0.batches }) {
            guard case .hours(let counts) = batch.content else { continue }
            #expect(counts.count <= 500)
            hours += counts
        }
        #expect(hours.count == 2_200)
        let isOrdered = zip(hours, hours.dropFirst()).allSatisfy {
            ($0.group.keyID, $0.group.hour) < ($1.group.keyID, $1.group.hour)
        }
        #expect(isOrdered)
    }

    @Test("minutes are written every minute, and hours every five")
    func intervals() async {
        let recorder = self.recorder
        let running = Task { await recorder.run() }
        func advance(to seconds: Int64) async {
            while clock.source.uptime() < .seconds(seconds) {
                _ = await eventually { clock.sleepers == 1 }
                clock.advance(by: .seconds(10))
            }
            _ = await eventually { clock.sleepers == 1 }
        }
        recorder.add(counts(keys: 0..<3))
        await advance(to: 50)
        #expect(store.requests == (0, 0))
        await advance(to: 60)
        #expect(store.requests == (3, 0))
        store.state.withLock { $0.faults = [.before] }
        recorder.add(counts(keys: 0..<2))
        await advance(to: 120)
        #expect(store.requests == (3, 0))
        await advance(to: 130)
        #expect(store.requests == (5, 0))
        await advance(to: 300)
        #expect(store.requests == (5, 5))
        recorder.add(counts(keys: 0..<4))
        running.cancel()
        await running.value
        await recorder.close(within: .seconds(10))
        #expect(store.requests == (9, 9))
    }

    @Test("a close ends after its timeout if the database does not respond")
    func closing() async {
        struct Silent: TrafficStore {
            func write(_ batch: TrafficBatch) async throws(StoreError) {
                try? await Task.sleep(for: .seconds(3_600))
                throw StoreError(.unavailable, detail: "cancelled")
            }
        }
        let recorder = TrafficRecorder(
            store: Silent(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        recorder.add(counts(keys: 0..<3))
        await recorder.close(within: .milliseconds(20))
        #expect(store.requests == (0, 0))
    }

    @Test("a backlog beyond its limit keeps its sums and loses times")
    func condensed() {
        var backlog = TrafficBacklog()
        for hour in 0..<72 { backlog.add(counts(keys: 0..<10, hour: Int64(hour))) }
        let requests = backlog.requests
        backlog.condense(limit: 720)
        #expect(backlog.hours.count == 720 && backlog.minutes.count == 72)
        backlog.condense(limit: 60)
        // The last day keeps its hours; each day before it has one.
        #expect(backlog.hours.count == 10 * (24 + 2) && backlog.requests == requests)
        #expect(backlog.hours.values.reduce(0) { $0 + $1.sum.requests } == requests)
        #expect(Set(backlog.hours.keys.map(\.hour)) == Set([0, 24] + Array(48..<72)))
    }

    @Test("requests that sampling or privacy omits are counted", arguments: [true, false])
    func unsampled(_ writesRows: Bool) async throws {
        let skip = LogPrivacy.Skip(method: "GET", path: try #require(PathPattern("/health")))
        let recorder = self.recorder
        let log = RequestLog(
            writesRows: writesRows, ratio: 0.01, privacy: LogPrivacy(skipping: [skip]),
            traffic: recorder)
        var logger = RequestLogger(log: log, producers: 1)
        for number in 0..<1_000 {
            var line = TestLine.with { ($0.at, $0.microseconds) = (Timestamp(microseconds: 0), 0) }
            if number.isMultiple(of: 2) { line.path = "/health" }
            line.with { logger.log($0) }
            line.with { log.note($0) }
        }
        logger.tick(at: Timestamp(microseconds: 4_000_000))
        await recorder.flush()
        #expect(store.requests == (0, 0))
        logger.tick(at: Timestamp(microseconds: 5_000_000))
        await recorder.flush()
        #expect(store.requests == (1_000, 1_000))
        log.close()
        await recorder.flush()
        #expect(store.requests == (2_000, 2_000))
    }
}
