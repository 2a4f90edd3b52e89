import HTTPTypes
import Hummingbird
import NIOCore
import NIOPosix
import Synchronization

/// Threads for long computations: bodies, pages, exports and imports.
///
/// Swift runs all tasks on one thread per core. A task that occupies them delays the change feed, the heartbeats and
/// the health check, and with them revocations. Work on these threads delays only work of its own kind.
public final class ComputeExecutor: TaskExecutor {
    /// The number of jobs that may wait when a request needs computing; beyond it, the response is 503.
    static let limit = 256

    /// The executor of the process.
    public static let shared = ComputeExecutor(threads: max(2, System.coreCount / 2))

    private let threads: NIOThreadPool
    private let waiting = Atomic(0)

    /// Starts the threads, which run until the end of the process.
    init(threads count: Int) {
        threads = NIOThreadPool(numberOfThreads: count)
        threads.start()
    }

    /// The number of jobs that wait for a thread.
    var queueLength: Int { waiting.load(ordering: .relaxed) }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        waiting.add(1, ordering: .relaxed)
        threads.submit { [self] _ in
            waiting.subtract(1, ordering: .relaxed)
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }

    /// Runs a part of a request on the threads, unless too many jobs wait.
    func run<R: Sendable>(_ work: () async throws -> R) async throws -> R {
        guard queueLength < Self.limit else { throw APIError.overloaded }
        return try await withTaskExecutorPreference(self, operation: work)
    }

    /// Runs the handler of a request on the threads. If the response's body is produced while it is written, that runs
    /// there too.
    func respond(_ handler: () async throws -> Response) async throws -> Response {
        var response = try await run(handler)
        guard response.body.contentLength == nil else { return response }
        let body = response.body
        response.body = ResponseBody { writer in
            try await withTaskExecutorPreference(self) { try await body.write(writer) }
        }
        return response
    }
}

extension APIError {
    /// The error for a request while too many jobs wait.
    static let overloaded = APIError(
        .serviceUnavailable, .unavailable, "too many requests are in progress: retry later",
        code: "overloaded", headers: [.retryAfter: "1"])
}
