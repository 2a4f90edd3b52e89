public import Metrics
import Synchronization

/// A swift-metrics backend that is read by scraping: it keeps every series in memory and writes them out in Prometheus' text
/// format (version 0.0.4). Labels are the callers' to bound; all of Keyward's come from fixed sets.
public final class PrometheusRegistry: Sendable {
    private struct Identity: Hashable {
        let name: String
        let labels: String
    }

    private let series = Mutex<[Identity: any PrometheusSeries]>([:])
    private let gauges = Mutex<[@Sendable () -> (name: String, value: Double)?]>([])

    public init() {}

    /// Adds a gauge that is computed when somebody looks.
    public func gauge(_ name: String, value: @escaping @Sendable () -> Double?) {
        gauges.withLock { $0.append { value().map { (name, $0) } } }
    }

    /// All series, grouped by name.
    public func render() -> String {
        let series = series.withLock { $0 }
        var text = ""
        for (name, group) in Dictionary(grouping: series, by: \.key.name).sorted(by: { $0.key < $1.key }) {
            guard let kind = group.first?.value.kind else { continue }
            text += "# TYPE \(name) \(kind)\n"
            for (identity, value) in group.sorted(by: { $0.key.labels < $1.key.labels }) {
                value.render(name: name, labels: identity.labels, into: &text)
            }
        }
        for gauge in gauges.withLock({ $0 }) {
            guard let (name, value) = gauge() else { continue }
            text += "# TYPE \(name) gauge\n\(name) \(value)\n"
        }
        return text
    }

    /// The series of a label and dimensions; the same one each time. A name that is in use for another kind of series gets
    /// one that nobody reads.
    private func handler<Series: PrometheusSeries>(
        _ label: String, _ dimensions: [(String, String)], _ make: () -> Series
    ) -> Series {
        let identity = Identity(name: Self.name(label), labels: Self.labels(dimensions))
        return series.withLock { series in
            if let known = series[identity] { return known as? Series ?? make() }
            let made = make()
            series[identity] = made
            return made
        }
    }

    private static func name(_ label: String) -> String {
        String(label.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") ? $0 : "_" })
    }

    private static func labels(_ dimensions: [(String, String)]) -> String {
        dimensions.map { "\(name($0.0))=\"\(escape($0.1))\"" }.joined(separator: ",")
    }

    private static func escape(_ value: String) -> String {
        value.reduce(into: "") { text, character in
            switch character {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.append(character)
            }
        }
    }
}

extension PrometheusRegistry: MetricsFactory {
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        handler(label, dimensions) { PrometheusCounter() }
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        handler(label, dimensions) { PrometheusGauge() }
    }

    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        if aggregate { return handler(label, dimensions) { PrometheusHistogram() } }
        return handler(label, dimensions) { PrometheusGauge() }
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        handler(label, dimensions) { PrometheusHistogram() }
    }

    public func destroyCounter(_ handler: any CounterHandler) {}
    public func destroyMeter(_ handler: any MeterHandler) {}
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    public func destroyTimer(_ handler: any TimerHandler) {}
}
