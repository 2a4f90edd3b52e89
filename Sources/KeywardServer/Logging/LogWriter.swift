import Dispatch
import Glibc
import Metrics
import Synchronization

/// A writer of log lines that writes to a descriptor on its own thread, so that callers never wait for a slow reader.
///
/// Unwritten lines wait in memory up to a limit. Further lines are dropped and counted, and a log line reports their
/// number when writing continues.
final class LogWriter: Sendable {
    private struct State {
        /// The lines that wait, each with its line feed.
        var waiting: [UInt8] = []
        var dropped = 0
        /// True while the thread writes, or is scheduled to.
        var isWriting = false
        var drops: Counter?
        /// Logs the number of lines that were dropped.
        var report: (@Sendable (Int) -> Void)?
    }

    /// The writer of the process's standard error. It writes waiting lines before the process exits.
    static let standardError: LogWriter = {
        atexit { LogWriter.standardError.flush() }
        return LogWriter(STDERR_FILENO)
    }()

    private let descriptor: Int32
    private let limit: Int
    private let state = Mutex(State())
    private let thread = DispatchQueue(label: "keyward.log")

    /// Creates a writer to a descriptor.
    /// - Parameter limit: the number of bytes that may wait.
    init(_ descriptor: Int32, limit: Int = 1 << 20) {
        self.descriptor = descriptor
        self.limit = limit
    }

    /// Sets the counter of dropped lines.
    func count(_ drops: Counter) {
        state.withLock { $0.drops = drops }
    }

    /// Sets the closure that logs the number of dropped lines, through this writer, when writing continues.
    func report(_ report: @escaping @Sendable (Int) -> Void) {
        state.withLock { $0.report = report }
    }

    /// Appends a line, given without its line feed.
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

    /// Waits until all lines are written, for at most one second.
    func flush() {
        let end = DispatchWorkItem {}
        thread.async(execute: end)
        _ = end.wait(timeout: .now() + .seconds(1))
    }

    private func writeAll() {
        while let (lines, dropped, report) = takeLines() {
            // The taken lines have made room for the report.
            if dropped > 0 { report?(dropped) }
            // A failure is ignored, because there is no other stream to report it on.
            _ = Console.write(lines, to: descriptor)
        }
    }

    /// Removes and returns the waiting lines, and the number of lines dropped after them; nil if no line waits.
    private func takeLines() -> (lines: [UInt8], dropped: Int, report: (@Sendable (Int) -> Void)?)? {
        state.withLock { state in
            state.isWriting = !state.waiting.isEmpty
            guard state.isWriting else { return nil }
            defer { (state.waiting, state.dropped) = ([], 0) }
            return (state.waiting, state.dropped, state.report)
        }
    }
}
