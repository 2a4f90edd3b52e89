import AuthKeys
import Foundation
import Glibc
import Logging
import RequestLog
import TestSupport
import Testing

@testable import KeywardServer

/// A file that cannot grow beyond a limit, as on a full disk.
///
/// The limit is one of the process, so the file begins beyond the size of any other file. The beginning has no blocks
/// on the disk.
private struct LimitedFile {
    private static let start: off_t = 1 << 40

    let path: String
    private let usual: rlimit

    init() throws {
        let folder = try TestFolder.make("access-log")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        path = folder + "/access.log"
        let descriptor = creat(path, 0o600)
        defer { close(descriptor) }
        try #require(ftruncate(descriptor, Self.start) == 0)
        signal(SIGXFSZ, SIG_IGN)
        var limit = rlimit()
        try #require(getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
        usual = limit
    }

    /// Sets the maximum number of bytes behind the beginning; nil for no limit.
    func limit(to bytes: Int?) {
        var limit = usual
        if let bytes { limit.rlim_cur = rlim_t(Self.start) + rlim_t(bytes) }
        #expect(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
    }

    /// The text behind the beginning.
    func text() throws -> String {
        let file = try #require(FileHandle(forReadingAtPath: path))
        defer { try? file.close() }
        try file.seek(toOffset: UInt64(Self.start))
        return String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self)
    }
}

@Suite("Access log on a full disk", .serialized, .timeLimit(.minutes(5)))
struct AccessLogDiskTests {
    @Test("the whole lines of a write that failed in part stay, and the file has no half line")
    func halfLines() async throws {
        let file = try LimitedFile()
        let log = RequestLog(writesRows: false, writesAccessLog: true)
        let accessLog = try AccessLog(
            .file(file.path), of: log, queue: try #require(log.access), instance: "gw-1",
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        file.limit(to: 1_000)
        defer { file.limit(to: nil) }
        for number in 0..<10 { TestLine.with { $0.path = "/\(number)" }.with { log.note($0) } }
        log.tick(at: .now)
        let running = Task { await accessLog.run() }
        #expect(await eventually { (try? file.text().isEmpty) == false })
        // The write under way ends.
        running.cancel()
        await running.value
        file.limit(to: nil)
        TestLine.with { $0.path = "/last" }.with { log.note($0) }
        log.close()
        await accessLog.run()
        let paths = try file.text().split(separator: "\n").map { line in
            try (JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])?["path"] as? String
        }
        #expect(paths.count > 1 && paths.count < 10)
        #expect(paths == paths.indices.dropLast().map { "/\($0)" } + ["/last"])
    }

    @Test("written and lost lines are counted exactly, whatever byte the disk becomes full at")
    func counts() throws {
        for space in 0...9 {
            let file = try LimitedFile()
            let descriptor = open(file.path, O_WRONLY | O_APPEND)
            defer { close(descriptor) }
            var lines = LineFile(descriptor, isShared: false)
            file.limit(to: space)
            defer { file.limit(to: nil) }
            let written = space / 3
            let lost = LineFile.Result(written: written, lost: 3 - written, failure: written == 3 ? nil : EFBIG)
            #expect(lines.append(Array("1a\n2b\n3c\n".utf8)) == lost, "\(space) bytes")
            file.limit(to: nil)
            #expect(lines.append(Array("4d\n".utf8)) == LineFile.Result(written: 1, lost: 0))
            #expect(try file.text() == ["1a\n", "2b\n", "3c\n"].prefix(written).joined() + "4d\n")
        }
    }

    @Test("if a half line cannot be removed, the next write begins with a line feed that is not counted")
    func shared() throws {
        let file = try LimitedFile()
        let descriptor = open(file.path, O_WRONLY | O_APPEND)
        defer { close(descriptor) }
        var lines = LineFile(descriptor, isShared: true)
        file.limit(to: 4)
        defer { file.limit(to: nil) }
        #expect(lines.append(Array("1a\n2b\n".utf8)) == LineFile.Result(written: 1, lost: 1, failure: EFBIG))
        #expect(lines.append(Array("3c\n".utf8)) == LineFile.Result(written: 0, lost: 1, failure: EFBIG))
        // There is space for the line feed alone.
        file.limit(to: 5)
        #expect(lines.append(Array("4d\n".utf8)) == LineFile.Result(written: 0, lost: 1, failure: EFBIG))
        file.limit(to: nil)
        #expect(lines.append(Array("5e\n".utf8)) == LineFile.Result(written: 1, lost: 0))
        #expect(try file.text() == "1a\n2\n5e\n")
    }
}
