public import Metrics
import Synchronization

/// A swift-metrics backend for scraping: it keeps each series in memory and renders Prometheus' text format (version
/// 0.0.4). Callers must bound the labels; all labels of Keyward come from fixed sets.
public final class PrometheusRegistry: Sendable {
    private struct Identity: Hashable {
        let name: String
        let labels: String
    }

    private let series = Mutex<[Identity: any PrometheusSeries]>([:])
    private let computed = Mutex<[Computed]>([])

    /// A series whose value is computed at each scrape; it is omitted if the value is nil.
    private struct Computed: Sendable {
        let kind: String
        let name: String
        let labels: String
        let value: @Sendable () -> Double?
    }

    /// Creates a registry with the metrics of the process.
    public init() {
        ProcessMetrics.add(to: self)
    }

    /// Adds a gauge whose value is computed at each scrape.
    public func gauge(
        _ name: String, labels: [(String, String)] = [], value: @escaping @Sendable () -> Double?
    ) {
        let series = Computed(kind: "gauge", name: name, labels: Self.labels(labels), value: value)
        computed.withLock { $0.append(series) }
    }

    /// Adds a counter whose value is computed at each scrape.
    public func counter(_ name: String, value: @escaping @Sendable () -> Double?) {
        computed.withLock { $0.append(Computed(kind: "counter", name: name, labels: "", value: value)) }
    }

    /// Renders all series, grouped by name.
    public func render() -> String {
        let series = series.withLock { $0 }
        var text = ""
        for (name, group) in Dictionary(grouping: series, by: \.key.name).sorted(by: { $0.key < $1.key }) {
            guard let kind = group.first?.value.kind else { continue }
            text += Self.head(name, kind)
            for (identity, value) in group.sorted(by: { $0.key.labels < $1.key.labels }) {
                value.render(name: name, labels: identity.labels, into: &text)
            }
        }
        for series in computed.withLock({ $0 }) {
            guard let value = series.value() else { continue }
            let labels = series.labels.isEmpty ? "" : "{\(series.labels)}"
            text += "\(Self.head(series.name, series.kind))\(series.name)\(labels) \(value)\n"
        }
        return text
    }

    private static func head(_ name: String, _ kind: String) -> String {
        let help = MetricHelp.text(of: name).map { "# HELP \(name) \($0)\n" } ?? ""
        return "\(help)# TYPE \(name) \(kind)\n"
    }

    /// Returns the series of a label and its dimensions. If the name already has another kind of series, the returned
    /// one is not scraped.
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
