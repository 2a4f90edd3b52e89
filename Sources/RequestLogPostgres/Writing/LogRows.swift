import LibPQ
import RequestLog

/// The rows of a batch as the chunks of a COPY.
///
/// They are made when they are sent, on the queue of the connection and not on the threads that all tasks share.
struct LogRows: Sequence, Sendable {
    let batch: LogBatch
    let names: LogNames
    let privacy: LogPrivacy

    init(_ batch: LogBatch, _ names: LogNames, _ privacy: LogPrivacy) {
        self.batch = batch
        self.names = names
        self.privacy = privacy
    }

    func makeIterator() -> AnyIterator<[UInt8]> {
        var isDone = false
        return AnyIterator {
            guard !isDone else { return nil }
            isDone = true
            return stream()
        }
    }

    /// Returns all rows as one stream.
    private func stream() -> [UInt8] {
        var writer = CopyWriter(reservingCapacity: batch.pages.reduce(64) { $0 + $1.count * CopyLine.usualSize })
        var buffer: [UInt8] = []
        batch.withLines { line in privacy.clean(line, using: &buffer) { CopyLine.append($0, names, to: &writer) } }
        writer.finish()
        return writer.bytes
    }

    /// Returns a stream for each row, with the number of requests that the row stands for.
    func single() -> [(stream: [UInt8], weight: Int)] {
        var streams: [(stream: [UInt8], weight: Int)] = []
        var buffer: [UInt8] = []
        batch.withLines { line in
            var writer = CopyWriter(reservingCapacity: CopyLine.usualSize)
            privacy.clean(line, using: &buffer) { CopyLine.append($0, names, to: &writer) }
            writer.finish()
            streams.append((writer.bytes, Int(line.weight)))
        }
        return streams
    }
}
