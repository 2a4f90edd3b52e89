import Dispatch
import Glibc
import Metrics
import Synchronization

/// Writes log lines to a descriptor on a thread of its own, so that no caller waits for the reader.
///
/// Lines that the reader leaves wait in memory, as many as fit. Further ones are dropped and counted, and a line says so when
/// the writing goes on.
final class LogWriter: Sendable {
    private struct State {
        /// Whole lines.
        var waiting: [UInt8] = []
        var dropped = 0
        /// Whether the thread has work, or will have.
        var isWriting = false
        var drops: Counter?
        /// Logs the number of lines that were dropped.
        var report: (@Sendable (Int) -> Void)?
    }

    /// The writer of the process's standard error. What waits is written at the end of the process.
    static let standardError: LogWriter = {
        atexit { LogWriter.standardError.flush() }
        return LogWriter(STDERR_FILENO)
    }()

    private let descriptor: Int32
    private let limit: Int
    private let state = Mutex(State())
    private let thread = DispatchQueue(label: "keyward.log")

    /// - Parameter limit: the bytes that may wait.
    init(_ descriptor: Int32, limit: Int = 1 << 20) {
        self.descriptor = descriptor
        self.limit = limit
    }

    /// Has dropped lines counted.
    func count(_ drops: Counter) {
        state.withLock { $0.drops = drops }
    }

    /// Has the number of dropped lines logged, through this writer, when the writing goes on.
    func report(_ report: @escaping @Sendable (Int) -> Void) {
        state.withLock { $0.report = report }
    }

    /// Adds a line, without its end.
    func write(_ line: [UInt8]) {
        let mustStart = state.withLock { state in
            guard state.waiting.count + line.count < limit else {
                state.dropped += 1
                state.drops?.increment()
                return false
            }
            state.waiting += line
            state.waiting.append(0x0A)
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if mustStart { thread.async { self.writeAll() } }
    }

    /// Waits until all lines are written, but no longer than a second.
    func flush() {
        let end = DispatchWorkItem {}
        thread.async(execute: end)
        _ = end.wait(timeout: .now() + .seconds(1))
    }

    private func writeAll() {
        while let (lines, dropped, report) = takeLines() {
            // Now there is room for the line that says so.
            if dropped > 0 { report?(dropped) }
            // There is no one to tell of a failure.
            _ = Console.write(lines, to: descriptor)
        }
    }

    /// Takes what waits, and the number of lines that were dropped after it; nil where nothing waits.
    private func takeLines() -> (lines: [UInt8], dropped: Int, report: (@Sendable (Int) -> Void)?)? {
        state.withLock { state in
            state.isWriting = !state.waiting.isEmpty
            guard state.isWriting else { return nil }
            defer { (state.waiting, state.dropped) = ([], 0) }
            return (state.waiting, state.dropped, state.report)
        }
    }
}
