import AuthKeys
import Metrics
import Synchronization

/// One line of a scrape, or several lines of a histogram.
protocol PrometheusSeries: AnyObject, Sendable {
    var kind: String { get }
    func render(name: String, labels: String, into text: inout String)
}

final class PrometheusCounter: PrometheusSeries, CounterHandler {
    private let value = Atomic<Int64>(0)

    var kind: String { "counter" }

    func increment(by amount: Int64) {
        value.wrappingAdd(amount, ordering: .relaxed)
    }

    func reset() {
        value.store(0, ordering: .relaxed)
    }

    func render(name: String, labels: String, into text: inout String) {
        text += "\(name)\(braced(labels)) \(value.load(ordering: .relaxed))\n"
    }
}

final class PrometheusGauge: PrometheusSeries, MeterHandler, RecorderHandler {
    private let bits = Atomic<UInt64>(0)

    var kind: String { "gauge" }

    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }
    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }
    func increment(by amount: Double) { add(amount) }
    func decrement(by amount: Double) { add(-amount) }

    private func add(_ amount: Double) {
        var current = bits.load(ordering: .relaxed)
        while true {
            let next = (Double(bitPattern: current) + amount).bitPattern
            let (exchanged, original) = bits.weakCompareExchange(
                expected: current, desired: next, ordering: .relaxed)
            if exchanged { return }
            current = original
        }
    }

    func render(name: String, labels: String, into text: inout String) {
        text += "\(name)\(braced(labels)) \(Double(bitPattern: bits.load(ordering: .relaxed)))\n"
    }
}

/// A histogram of durations in seconds, with buckets from a quarter of a millisecond to ten seconds.
final class PrometheusHistogram: PrometheusSeries, TimerHandler, RecorderHandler {
    private final class Cell: Sendable {
        let count = Atomic<Int64>(0)
    }

    private let cells = (0..<DurationBuckets.count).map { _ in Cell() }
    private let nanoseconds = Atomic<Int64>(0)

    var kind: String { "histogram" }

    func recordNanoseconds(_ duration: Int64) {
        // Rounded up: a bucket includes its bound, and nothing beyond it.
        let (whole, rest) = duration.quotientAndRemainder(dividingBy: 1_000)
        let bucket = DurationBuckets.index(ofMicroseconds: rest > 0 ? whole + 1 : whole)
        cells[bucket].count.wrappingAdd(1, ordering: .relaxed)
        nanoseconds.wrappingAdd(duration, ordering: .relaxed)
    }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        recordNanoseconds(Int64(exactly: (value * 1e9).rounded()) ?? .max)
    }

    func render(name: String, labels: String, into text: inout String) {
        var total: Int64 = 0
        let prefix = labels.isEmpty ? "" : labels + ","
        for (cell, bound) in zip(cells, DurationBuckets.bounds.map { "\(Double($0) / 1e6)" } + ["+Inf"]) {
            total += cell.count.load(ordering: .relaxed)
            text += "\(name)_bucket{\(prefix)le=\"\(bound)\"} \(total)\n"
        }
        text += "\(name)_sum\(braced(labels)) \(Double(nanoseconds.load(ordering: .relaxed)) / 1e9)\n"
        text += "\(name)_count\(braced(labels)) \(total)\n"
    }
}

private func braced(_ labels: String) -> String {
    labels.isEmpty ? "" : "{\(labels)}"
}
