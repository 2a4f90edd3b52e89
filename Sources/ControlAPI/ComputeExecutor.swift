import HTTPTypes
import Hummingbird
import NIOCore
import NIOPosix
import Synchronization

/// Threads for work that computes for long: bodies, pages, exports and imports.
///
/// Swift runs all tasks on as many threads as there are cores. Whatever holds them holds up the reader of the change feed, the
/// heartbeats and the health check too, and with them revocations. Work on these threads does not: it waits for its own kind.
public final class ComputeExecutor: TaskExecutor {
    /// Pieces of work that may wait when a request comes that computes; 503 beyond.
    static let limit = 256

    /// The executor of the process.
    public static let shared = ComputeExecutor(threads: max(2, System.coreCount / 2))

    private let threads: NIOThreadPool
    private let waiting = Atomic(0)

    /// The threads run until the end of the process.
    init(threads count: Int) {
        threads = NIOThreadPool(numberOfThreads: count)
        threads.start()
    }

    /// Pieces of work that wait for a thread.
    var queueLength: Int { waiting.load(ordering: .relaxed) }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        waiting.add(1, ordering: .relaxed)
        threads.submit { [self] _ in
            waiting.subtract(1, ordering: .relaxed)
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }

    /// Runs a part of a request on the threads, unless too much waits for them.
    func run<R: Sendable>(_ work: () async throws -> R) async throws -> R {
        guard queueLength < Self.limit else { throw APIError.overloaded }
        return try await withTaskExecutorPreference(self, operation: work)
    }

    /// Runs the handler of a request on the threads, and the body of its response where that is made while it is written.
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
    /// Too much work waits.
    static let overloaded = APIError(
        .serviceUnavailable, .unavailable, "too many requests are being worked on: repeat the request later",
        code: "overloaded", headers: [.retryAfter: "1"])
}
