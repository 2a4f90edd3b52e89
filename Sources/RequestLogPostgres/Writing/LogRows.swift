import LibPQ
import RequestLog

/// The rows of a batch in the format of COPY.
struct LogRows: Sendable {
    /// A row as a stream of its own.
    struct Row {
        let key: LogBatch.LineKey
        /// The number of requests that the row stands for.
        let weight: Int
        let stream: [UInt8]
    }

    private let batch: LogBatch
    private let names: LogNames
    private let privacy: LogPrivacy

    init(_ batch: LogBatch, _ names: LogNames, _ privacy: LogPrivacy) {
        self.batch = batch
        self.names = names
        self.privacy = privacy
    }

    /// Returns all rows as one stream, and the key of the first one.
    func stream() -> (stream: [UInt8], first: LogBatch.LineKey?) {
        var writer = CopyWriter(reservingCapacity: batch.pages.reduce(64) { $0 + $1.count * CopyLine.usualSize })
        var buffer: [UInt8] = []
        var first: LogBatch.LineKey?
        batch.withLines { line in
            if first == nil { first = LogBatch.LineKey(line) }
            privacy.clean(line, using: &buffer) { CopyLine.append($0, names, to: &writer) }
        }
        writer.finish()
        return (writer.bytes, first)
    }

    /// Returns each row.
    func single() -> [Row] {
        var rows: [Row] = []
        var buffer: [UInt8] = []
        batch.withLines { line in
            var writer = CopyWriter(reservingCapacity: CopyLine.usualSize)
            privacy.clean(line, using: &buffer) { CopyLine.append($0, names, to: &writer) }
            writer.finish()
            rows.append(Row(key: LogBatch.LineKey(line), weight: Int(line.weight), stream: writer.bytes))
        }
        return rows
    }
}

/// A chunk of a COPY that is made when it is sent: on the queue of the connection, and not on the threads that all
/// tasks share.
struct LateChunk: Sequence, Sendable {
    private let make: @Sendable () -> [UInt8]

    init(_ make: @escaping @Sendable () -> [UInt8]) {
        self.make = make
    }

    func makeIterator() -> AnyIterator<[UInt8]> {
        var isDone = false
        return AnyIterator {
            guard !isDone else { return nil }
            isDone = true
            return make()
        }
    }
}
