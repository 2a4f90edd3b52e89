import AuthKeys
import Foundation
import Glibc
import Logging
import RequestLog
import TestSupport
import Testing

@testable import KeywardServer

@Suite("Access log", .timeLimit(.minutes(5)))
struct AccessLogTests {
    private func folder() throws -> String {
        let path = try TestFolder.make("access-log")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    private func request(_ path: String) -> TestLine { .with { $0.path = path } }

    private func open(_ path: String, of log: RequestLog) throws -> AccessLog {
        try AccessLog(
            .file(path), of: log, queue: try #require(log.access), instance: "gw-1",
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func paths(in file: String) throws -> [String] {
        try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").map { line in
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return object?["path"] as? String ?? "-"
        }
    }

    @Test("requests are appended to the file, and to the new one after it was renamed and reopened")
    func reopen() async throws {
        let folder = try folder()
        let (path, old) = (folder + "/access.log", folder + "/access.log.1")
        let log = RequestLog(writesRows: false, writesAccessLog: true)
        let accessLog = try open(path, of: log)
        let running = Task { await accessLog.run() }
        request("/one").with { log.note($0) }
        log.tick(at: .now)
        #expect(await eventually { (try? paths(in: path)) == ["/one"] })
        try FileManager.default.moveItem(atPath: path, toPath: old)
        request("/two").with { log.note($0) }
        log.tick(at: .now)
        #expect(await eventually { (try? paths(in: old)) == ["/one", "/two"] })
        accessLog.reopen()
        request("/three").with { log.note($0) }
        log.close()
        await running.value
        #expect(try paths(in: path) == ["/three"])
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect((attributes[.posixPermissions] as? Int).map { $0 & 0o137 } == 0)
    }

    @Test("tokens in paths and queries do not reach the file")
    func privacy() async throws {
        let folder = try folder()
        let path = folder + "/access.log"
        let log = RequestLog(writesRows: false, writesAccessLog: true, privacy: LogPrivacy(queries: .full))
        let secret = "kw_" + String(repeating: "7", count: 49)
        TestLine.with { ($0.path, $0.query, $0.agent) = ("/\(secret)", "k=\(secret)", secret) }.with { log.note($0) }
        log.close()
        try await open(path, of: log).run()
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.contains("kw_...7777") && !text.contains(String(repeating: "7", count: 9)))
    }

    @Test("a full disk costs lines, and the ones after it are whole")
    func fullDisk() async throws {
        let folder = try folder()
        let path = folder + "/access.log"
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/dev/full")
        let log = RequestLog(writesRows: false, writesAccessLog: true)
        let accessLog = try open(path, of: log)
        let running = Task { await accessLog.run() }
        request("/lost").with { log.note($0) }
        log.tick(at: .now)
        #expect(await eventually { log.access?.bytes == 0 })
        try FileManager.default.removeItem(atPath: path)
        accessLog.reopen()
        request("/kept").with { log.note($0) }
        log.close()
        await running.value
        #expect(try paths(in: path).last == "/kept")
    }

    @Test("a file that cannot be opened is an error with its path and reason")
    func unopenable() throws {
        let log = RequestLog(writesRows: false, writesAccessLog: true)
        do {
            _ = try open("/nowhere/access.log", of: log)
            Issue.record("the file was opened")
        } catch let error as AccessLog.OpenFailure {
            #expect(error.path == "/nowhere/access.log" && error.reason == "No such file or directory")
        }
    }

    @Test("a reader that does not read holds nothing up: lines beyond the buffer are dropped")
    func slowReader() async throws {
        let folder = try folder()
        let path = folder + "/pipe"
        #expect(mkfifo(path, 0o600) == 0)
        let reader = Glibc.open(path, O_RDONLY | O_NONBLOCK)
        defer { close(reader) }
        let log = RequestLog(writesRows: false, writesAccessLog: true, capacity: 2 * RequestPage.capacity)
        let accessLog = try open(path, of: log)
        let running = Task { await accessLog.run() }
        var logger = RequestLogger(log: log, producers: 1)
        let line = TestLine.with { $0.path = "/" + String(repeating: "p", count: 500) }
        for _ in 0..<3_000 { line.with { logger.log($0) } }
        logger.close()
        #expect((log.access?.bytes ?? 0) <= 2 * RequestPage.capacity)
        log.close()
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let drain = Task.detached {
            while !Task.isCancelled {
                if read(reader, &buffer, buffer.count) <= 0 { usleep(1_000) }
            }
        }
        await running.value
        drain.cancel()
    }
}
