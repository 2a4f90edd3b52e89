import AuthKeys
import AuthKeysPostgres
import EmbeddedPostgres
import Glibc
import HTTPCredentials
import LibPQ
import Logging
import RequestLog
import RequestLogPostgres

/// Measures the writer of the request log: lines per second in one session, CPU of PostgreSQL and bytes per line, and
/// the longest transaction while partitions are made and dropped.
enum RequestLogBenchmark {
    private static let owners = 2_000
    private static let keys = 100_000

    static func run(_ count: Int) async throws {
        let logger = Logger(label: "benchmark") { _ in SwiftLogNoOpLogHandler() }
        let server = try await EmbeddedPostgres.start(
            EmbeddedPostgresConfiguration(
                directory: "/tmp/keyward-benchmark-\(getpid())",
                settings: ["max_wal_size": "8GB", "shared_buffers": "256MB"]), logger: logger)
        do {
            try await measure(count, on: try PostgresTarget(server.connectionString), server, logger)
        } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }

    private static func measure(
        _ count: Int, on target: PostgresTarget, _ server: EmbeddedPostgres, _ logger: Logger
    ) async throws {
        let connection = try await PostgresConnection.connect(to: target, logger: logger)
        try await MigrationRunner(logger: logger).up(on: connection)
        try await connection.execute(script: "SELECT request_log_tend(2, 0, 0)")
        let (calm, processor) = try await write(count, to: target, server, logger)
        let size = try await connection.query(
            "SELECT sum(pg_total_relation_size(inhrelid))::bigint FROM pg_inherits WHERE inhparent = 'request_log'::regclass"
        )
        let bytes = Double(try size.rows[0].int64(0)) / Double(count)
        print("\(count) lines in one session: \(rounded(Double(count) / calm)) a second, committed")
        print(
            "\(rounded(processor / Double(count) * 1e6, 2)) µs of CPU of PostgreSQL, and \(rounded(bytes)) bytes a line"
        )

        let tending = Task {
            var calls = 0
            while !Task.isCancelled {
                // An old partition each time, which the same call drops.
                try await connection.execute(
                    script: """
                        SET TimeZone = 'UTC';
                        CREATE TABLE IF NOT EXISTS request_log_20200101
                            PARTITION OF request_log FOR VALUES FROM ('2020-01-01') TO ('2020-01-02');
                        """)
                try await connection.execute(script: "SELECT request_log_tend(\(calls % 14), 7, 0)")
                calls += 1
                try? await Task.sleep(for: .milliseconds(200))
            }
            return calls
        }
        let longest = try await longestCopy(on: target, seconds: 20, logger)
        tending.cancel()
        let calls = (try? await tending.value) ?? 0
        print(
            "longest COPY of 200 lines: \(rounded(longest, 1)) ms while partitions were made and dropped (\(calls) calls)"
        )
        await connection.close()
    }

    /// Writes lines through a log, and returns the seconds and the CPU seconds of PostgreSQL.
    private static func write(
        _ count: Int, to target: PostgresTarget, _ server: EmbeddedPostgres, _ logger: Logger
    ) async throws -> (seconds: Double, processor: Double) {
        let log = RequestLog(capacity: 1 << 34)
        var producer = RequestLogger(log: log, producers: 1)
        var (ids, random) = (RequestIDSource(), SystemRandomNumberGenerator())
        let now = Timestamp.now
        for number in 0..<count {
            // 20,000 lines a second are within the budget of the sampler.
            let at = now.advanced(by: .microseconds(Int64(number - count) * 50))
            let failed = number % 22 == 0
            var line = RequestLine(
                at: at, id: ids.next(at: at), surface: .gateway, outcome: failed ? .denied : .allowed,
                status: failed ? 403 : 200, code: failed ? "scope_missing" : nil,
                keyID: KeyID(high: UInt64.random(in: 0..<UInt64(keys), using: &random), low: 1))
            (line.microseconds, line.upstreamMicroseconds, line.bytesOut) = (1_234, 987, 2_048)
            line.address = IPAddress("192.0.2.\(number % 256)")
            let texts = ["GET", "/v1/reports/\(number % 10_000)/lines", "curl", "customer-\(number % owners)"]
            var bytes: [UInt8] = []
            for text in texts { bytes += Array(text.utf8) }
            bytes.withUnsafeBytes { bytes in
                var start = 0
                func part(_ text: String) -> UnsafeRawBufferPointer {
                    defer { start += text.utf8.count }
                    return UnsafeRawBufferPointer(rebasing: bytes[start..<(start + text.utf8.count)])
                }
                (line.method, line.path) = (part(texts[0]), part(texts[1]))
                (line.agent, line.owner) = (part(texts[2]), part(texts[3]))
                producer.log(line)
            }
        }
        producer.close()
        log.close()
        let database = RequestLogDatabase(
            target: target, isPooled: false, instance: "benchmark:1",
            retention: RequestLogRetention(days: 0, bytes: 0), logger: logger)
        let (before, own) = (processorSeconds(of: server), ownProcessorSeconds)
        let start = ContinuousClock.now
        await database.run(log, within: .seconds(3_600)) { _ in }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        print("\(rounded((ownProcessorSeconds - own) / Double(count) * 1e9)) ns of CPU of the writer a line")
        return (seconds, processorSeconds(of: server) - before)
    }

    /// Copies small batches one after the other, and returns the longest transaction in milliseconds.
    private static func longestCopy(on target: PostgresTarget, seconds: Int, _ logger: Logger) async throws -> Double {
        let connection = try await PostgresConnection.connect(to: target, logger: logger)
        let statement = """
            INSERT INTO request_log (at, bytes_in, bytes_out, micros, id, instance, status, surface, outcome, flags, method, path)
            SELECT now(), 0, 0, 0, gen_random_uuid(), 1, 200, 1, 1, 0, 'GET', '/' FROM generate_series(1, 200)
            """
        let end = ContinuousClock.now + .seconds(seconds)
        var longest = Duration.zero
        while ContinuousClock.now < end {
            let start = ContinuousClock.now
            try await connection.execute(script: "SET LOCAL synchronous_commit = off; \(statement)")
            longest = max(longest, ContinuousClock.now - start)
        }
        await connection.close()
        return longest / .milliseconds(1)
    }

    private static var ownProcessorSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// The CPU seconds of the server's processes, ended ones included.
    private static func processorSeconds(of server: EmbeddedPostgres) -> Double {
        var ticks = 0
        for id in ClusterTimes.processes(of: server.processID) { ticks += ClusterTimes.ticks(of: id) }
        return Double(ticks) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
}

/// The CPU times of a process and its children (proc(5), `/proc/pid/stat`).
private enum ClusterTimes {
    static func processes(of parent: Int32) -> [Int32] {
        guard let text = read("/proc/\(parent)/task/\(parent)/children") else { return [parent] }
        return [parent] + text.split(separator: " ").compactMap { Int32($0.filter(\.isNumber)) }
    }

    /// Returns the ticks of the process, and of its children that have ended.
    static func ticks(of process: Int32) -> Int {
        guard let text = read("/proc/\(process)/stat"), let end = text.lastIndex(of: ")") else { return 0 }
        // The fields after the name, from the third on: utime is the 14th, cstime the 17th.
        let fields = text[text.index(after: end)...].split(separator: " ")
        return fields.count > 14 ? fields[11...14].reduce(0) { $0 + (Int($1) ?? 0) } : 0
    }

    private static func read(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}
