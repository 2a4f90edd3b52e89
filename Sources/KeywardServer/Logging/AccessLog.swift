import Dispatch
import Glibc
import Logging
import Metrics
import RequestLog
import Synchronization

/// Writes the access log: one JSON object a request, to a file or to standard output.
///
/// A thread of its own writes, so that a slow disk or reader holds up neither an event loop nor a task. Requests wait
/// in the queue of `RequestLog`, which counts those that find no space.
final class AccessLog: Sendable {
    private struct State {
        var file: LineFile
        /// True after a write that failed.
        var hasFailed = false
    }

    /// The maximum size of the pages of one write, in bytes.
    private static let batch = 1 << 20

    private let log: RequestLog
    private let queue: PageQueue
    private let destination: AccessLogDestination
    private let instance: String
    private let logger: Logger
    private let state: Mutex<State>
    private let thread = DispatchQueue(label: "keyward.access-log")
    private let lines = Counter(label: "keyward_access_log_lines_total")

    /// Opens the destination.
    /// - Parameters:
    ///   - queue: the pages of `log` for the access log.
    ///   - instance: the name of this instance.
    init(
        _ destination: AccessLogDestination, of log: RequestLog, queue: PageQueue, instance: String, logger: Logger
    ) throws(OpenFailure) {
        self.destination = destination
        self.log = log
        self.queue = queue
        self.instance = instance
        self.logger = logger
        state = Mutex(State(file: try Self.open(destination)))
    }

    deinit {
        state.withLock { state in if case .file = destination { close(state.file.descriptor) } }
    }

    /// A destination that cannot be opened.
    struct OpenFailure: Error {
        let path: String
        let reason: String
    }

    /// Opens the file again, for programs that rename it. If that fails, the open file stays in use.
    func reopen() {
        guard case .file = destination else { return }
        do throws(OpenFailure) {
            let new = try Self.open(destination)
            // After the write under way: the mutex is held during writes.
            let old = state.withLock { state in
                defer { state = State(file: new) }
                return state.file.descriptor
            }
            close(old)
            logger.notice("access log reopened")
        } catch {
            logger.error(
                "the access log cannot be reopened", metadata: ["path": "\(error.path)", "error": "\(error.reason)"])
        }
    }

    /// Writes until the queue is closed and empty, or the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            await queue.wait()
            let pages = queue.take(upTo: Self.batch)
            if pages.isEmpty { return }
            await withCheckedContinuation { continuation in
                thread.async {
                    self.write(pages)
                    continuation.resume()
                }
            }
        }
    }

    private func write(_ pages: [RequestPage]) {
        var bytes: [UInt8] = []
        var buffer: [UInt8] = []
        for page in pages {
            page.forEachLine { line in
                log.privacy.clean(line, using: &buffer) { line in
                    AccessLogLine.append(
                        line, upstream: log.upstreams.name(line.upstream), instance: instance, to: &bytes)
                }
            }
        }
        let (result, isNew) = state.withLock { state in
            let result = state.file.append(bytes)
            defer { state.hasFailed = result.failure != nil }
            return (result, !state.hasFailed)
        }
        lines.increment(by: result.written)
        guard let failure = result.failure else { return }
        log.countDroppedAccess(result.lost)
        guard isNew else { return }
        logger.error(
            "the access log cannot be written, requests are missing from it",
            metadata: ["error": "\(String(cString: strerror(failure)))"])
    }

    private static func open(_ destination: AccessLogDestination) throws(OpenFailure) -> LineFile {
        guard case .file(let path) = destination else { return LineFile(STDOUT_FILENO, isShared: true) }
        // Without waiting for the reader of a named pipe.
        let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0o640)
        guard descriptor >= 0 else {
            let reason = errno == ENXIO ? "no program reads this pipe" : String(cString: strerror(errno))
            throw OpenFailure(path: path, reason: reason)
        }
        _ = fcntl(descriptor, F_SETFL, O_APPEND)
        return LineFile(descriptor, isShared: false)
    }
}
