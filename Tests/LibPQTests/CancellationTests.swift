import Glibc
import TestSupport
import Testing

@testable import LibPQ

@Suite("Cancellation and timeouts") struct CancellationTests {
    @Test("a timeout cancels the statement") func timeout() async throws {
        try await withConnection { observer in
            try await withConnection { connection in
                let marker = uniqueName("timeout")
                let start = ContinuousClock.now
                let error = await postgresError {
                    _ = try await connection.query("SELECT pg_sleep(60) /* \(marker) */", timeout: .milliseconds(200))
                }
                #expect(error?.kind == .timeout)
                #expect(error?.isUnavailable == true)
                #expect(error?.isRetryable == false)
                #expect(.now - start < .seconds(30))
                try await eventually("the statement to end") { try await running(marker, on: observer) == 0 }
                try await expectUsableOrClosed(connection)
            }
        }
    }

    @Test("cancelling the task cancels the statement") func cancelledTask() async throws {
        try await withConnection { observer in
            try await withConnection { connection in
                let marker = uniqueName("cancel")
                let task = Task { try await connection.query("SELECT pg_sleep(60) /* \(marker) */") }
                try await eventually("the statement to start") { try await running(marker, on: observer) == 1 }
                task.cancel()
                let error = await postgresError { _ = try await task.value }
                #expect(error?.kind == .cancelled)
                try await eventually("the statement to end") { try await running(marker, on: observer) == 0 }
                try await expectUsableOrClosed(connection)
            }
        }
    }

    @Test("a task that is already cancelled sends nothing") func alreadyCancelled() async throws {
        try await withConnection { connection in
            let task = Task {
                while !Task.isCancelled { await Task.yield() }
                return await postgresError { _ = try await connection.query("SELECT 1") }
            }
            task.cancel()
            let error = await task.value
            #expect(error?.kind == .cancelled)
            #expect(error?.nothingWasSent == true)
        }
    }

    @Test("a late cancel request never hits the next statement") func lateCancel() async throws {
        var connection = try await connect()
        for round in 0..<200 {
            if !connection.isUsable { connection = try await connect() }
            let current = connection
            let task = Task { try await current.query("SELECT pg_sleep(0.001)") }
            try await Task.sleep(for: .microseconds(Int64(round * 10)))
            task.cancel()
            _ = await task.result
            if current.isUsable {
                #expect(try await current.query("SELECT $1", [.int64(Int64(round))]).rows[0].int64(0) == Int64(round))
            }
        }
        await connection.close()
    }

    @Test("closing the connection fails the call in flight") func close() async throws {
        try await withConnection { observer in
            let connection = try await connect()
            let marker = uniqueName("close")
            let task = Task { try await connection.query("SELECT pg_sleep(60) /* \(marker) */") }
            try await eventually("the statement to start") { try await running(marker, on: observer) == 1 }
            let waiting = Task { try await connection.query("SELECT 1") }
            await connection.close()
            let error = await postgresError { _ = try await task.value }
            #expect(error?.kind == .connectionLost)
            #expect(await postgresError { _ = try await waiting.value }?.kind == .connectionLost)
            #expect(await postgresError { _ = try await connection.query("SELECT 1") }?.nothingWasSent == true)
        }
    }

    @Test("connecting to a server that never answers ends at the timeout, or when the task is cancelled")
    func silentServer() async throws {
        let socket = try SilentServer()
        defer { socket.close() }
        let target = try PostgresTarget("host=\(socket.directory) user=x")
        let start = ContinuousClock.now
        let error = await postgresError {
            _ = try await PostgresConnection.connect(
                to: target, settings: ConnectionSettings(connectTimeout: .milliseconds(300)), logger: quiet)
        }
        #expect(error?.kind == .timeout)
        #expect(error?.nothingWasSent == true)
        #expect(.now - start < .seconds(30))

        let task = Task { try await PostgresConnection.connect(to: target, logger: quiet) }
        task.cancel()
        #expect(await postgresError { _ = try await task.value }?.kind == .cancelled)
    }
}

/// A socket that accepts connections and sends nothing.
struct SilentServer {
    let directory: String
    private let descriptor: Int32

    init() throws {
        var template = Array("/tmp/libpq-silent-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw Failure(what: "mkdtemp") }
        directory = String(cString: made)
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let path = directory + "/.s.PGSQL.5432"
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard bound == 0, listen(descriptor, 16) == 0 else { throw Failure(what: "listen") }
    }

    func close() {
        Glibc.close(descriptor)
        unlink(directory + "/.s.PGSQL.5432")
        rmdir(directory)
    }
}
