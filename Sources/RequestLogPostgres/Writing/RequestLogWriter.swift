import AuthKeys
public import LibPQ
public import Logging
import Metrics
public import RequestLog
import Synchronization

/// Writes the pages of a log to PostgreSQL.
///
/// A batch is held until it is written, whatever the error, so that one writer keeps the order of the lines. Meanwhile
/// new pages wait in the queue. Nothing else depends on the writers.
public final class RequestLogWriter: Sendable {
    /// The maximum size of a batch, in bytes of pages.
    private static let batchSize = 1 << 20
    /// The time for which a writer waits for the pages of other event loops, so that they share a transaction.
    private static let gathering = Duration.milliseconds(100)
    private static let longestBackoff = Duration.seconds(10)

    private struct State {
        var isFailing = false
        /// The times of the first lines of the batches that are being written, by writer.
        var began: [Int: Timestamp] = [:]
    }

    private let log: RequestLog
    private let pool: PostgresPool
    private let instance: String
    private let retention: RequestLogRetention
    private let tender: RequestLogTender?
    private let writers: Int
    private let logger: Logger
    private let state = Mutex(State())

    private let rows = Counter(label: "keyward_request_log_rows_total")
    private let failures = Counter(label: "keyward_request_log_failures_total")
    private let seconds = Timer(label: "keyward_request_log_write_seconds")

    /// - Parameters:
    ///   - pool: connections for the writers alone.
    ///   - instance: the name of this instance in lines.
    ///   - tender: makes missing partitions; nil if the role must not do so.
    ///   - writers: the number of writers. With more than one, lines are not written in order.
    public init(
        log: RequestLog, pool: PostgresPool, instance: String, retention: RequestLogRetention,
        tender: RequestLogTender?, writers: Int = 1, logger: Logger
    ) {
        self.log = log
        self.pool = pool
        self.instance = instance
        self.retention = retention
        self.tender = tender
        self.writers = max(1, writers)
        self.logger = logger
    }

    /// The age of the oldest line that is not written; zero if there is none.
    public var lag: Duration {
        let began = state.withLock { Array($0.began.values) } + [log.rows?.began].compactMap { $0 }
        return began.min().map { .microseconds(max(0, Timestamp.now.microseconds - $0.microseconds)) } ?? .zero
    }

    /// Writes until the log is closed and everything is written. After a cancellation, the rest is dropped and counted.
    public func run() async {
        guard let queue = log.rows else { return }
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<writers { group.addTask { await self.work(number, queue) } }
        }
        drop(queue.take(upTo: .max), reason: "shutdown")
    }

    private func work(_ number: Int, _ queue: PageQueue) async {
        var names: LogNames?
        while true {
            await queue.wait()
            if Task.isCancelled { return }
            if !queue.isClosed, queue.bytes < Self.batchSize { try? await Task.sleep(for: Self.gathering) }
            let isLast = queue.isClosed
            let pages = queue.take(upTo: Self.batchSize)
            if pages.isEmpty, !isLast { continue }
            let batch = LogBatch(pages: pages, lost: log.takeLost())
            state.withLock { $0.began[number] = batch.began }
            await write(batch, &names)
            state.withLock { $0.began[number] = nil }
            if pages.isEmpty { return }
        }
    }

    /// Writes a batch, and retries until that succeeds or the task is cancelled.
    private func write(_ batch: LogBatch, _ names: inout LogNames?) async {
        var batch = batch
        var backoff = Backoff(base: .milliseconds(100), cap: Self.longestBackoff)
        // The transaction whose commit was sent and whose result was lost.
        var uncertain: BatchTransaction?
        var (isOneByOne, isAdapted) = (false, false)
        while !Task.isCancelled {
            do {
                if let transaction = uncertain, try await transaction.isCommitted(on: pool) {
                    return succeeded(transaction)
                }
                uncertain = nil
                if let oldest = retention.oldest(at: .now) { drop(batch.removePages(before: oldest), reason: "time") }
                try await read(&names)
                guard let names, !batch.isEmpty else { return }
                let transaction = BatchTransaction(batch, names, log.privacy)
                let start = ContinuousClock.now
                do {
                    try await transaction.write(on: pool, oneByOne: isOneByOne)
                    seconds.recordNanoseconds((ContinuousClock.now - start).nanoseconds)
                    return succeeded(transaction)
                } catch let error as PostgresError where error.isOutcomeUnknown {
                    uncertain = transaction
                    throw error
                }
            } catch let error as PostgresError where error.lacksPartition && !isAdapted {
                isAdapted = true
                if await adapt(&batch) { continue }
                failed("\(error)")
            } catch let error as PostgresError where error.concernsData && !isOneByOne {
                isOneByOne = true
                continue
            } catch {
                failed("\(error)")
            }
            names = nil
            try? await Task.sleep(for: backoff.failed(fraction: .random(in: 0.5...1)))
            isAdapted = false
        }
        // The gap of the batch is lost as well, but no line can follow that would tell.
        let rest = batch.requestLines
        if rest.lines > 0 { dropped(rest, reason: "shutdown") }
    }
}

extension RequestLogWriter {
    private func read(_ names: inout LogNames?) async throws {
        if names == nil { names = try await LogNames(instance: instance, on: pool) }
        try await names?.add(log.upstreams, on: pool)
    }

    /// Makes missing partitions, and omits the lines that have none nevertheless: those of a wrong clock. Returns false
    /// if there is no partition for the current day.
    private func adapt(_ batch: inout LogBatch) async -> Bool {
        _ = await tender?.tend()
        guard let days = try? await LogDays(on: pool), days.contains(days.now) else { return false }
        let omitted = batch.keep(only: days)
        dropped(omitted, reason: "time")
        return true
    }

    private func drop(_ pages: [RequestPage], reason: String) {
        if !pages.isEmpty { dropped(LogBatch.count(pages), reason: reason) }
    }

    private func dropped(_ lines: (lines: Int, requests: Int), reason: String) {
        Counter(label: "keyward_request_log_dropped_total", dimensions: [("reason", reason)])
            .increment(by: lines.lines)
        log.countLost(lines.requests)
    }

    private func succeeded(_ transaction: BatchTransaction) {
        rows.increment(by: transaction.written)
        let refused = transaction.refused
        if refused.rows > 0 {
            dropped((refused.rows, refused.requests), reason: "database")
            logger.error(
                "the database refused lines of the request log because of their values",
                metadata: ["lines": .stringConvertible(refused.rows), "sqlstate": "\(refused.state)"])
        }
        let wasFailing = state.withLock { state in
            defer { state.isFailing = false }
            return state.isFailing
        }
        if wasFailing { logger.notice("the request log is written again") }
    }

    /// Counts a failure, and logs the first of consecutive ones.
    private func failed(_ reason: String) {
        if Task.isCancelled { return }
        failures.increment()
        let wasFailing = state.withLock { state in
            defer { state.isFailing = true }
            return state.isFailing
        }
        guard !wasFailing else { return }
        logger.warning(
            "the request log cannot be written: lines wait in memory, and are sampled or dropped if that is full",
            metadata: ["error": "\(reason)"])
    }
}
