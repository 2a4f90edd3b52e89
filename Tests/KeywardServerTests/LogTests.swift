import AuthKeys
import Foundation
import Glibc
import Logging
import NIOHTTP1
import Synchronization
import TestSupport
import Testing

@testable import KeywardServer

@Suite("Log", .timeLimit(.minutes(6)))
struct LogTests {
    /// A pipe, and a writer at one end.
    private final class Pipe: Sendable {
        let reader: Int32
        let writer: LogWriter

        init(limit: Int = 1 << 20) throws {
            var ends: [Int32] = [0, 0]
            guard pipe(&ends) == 0 else { throw TestSupportError("no pipe") }
            reader = ends[0]
            writer = LogWriter(ends[1], limit: limit)
        }

        /// Reads lines until one meets the condition.
        func lines(until isLast: (String) -> Bool) -> [String] {
            var text: [UInt8] = []
            var lines: [String] = []
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = read(reader, &buffer, buffer.count)
                guard count > 0 else { return lines }
                text += buffer.prefix(count)
                while let end = text.firstIndex(of: 0x0A) {
                    lines.append(String(decoding: text[..<end], as: UTF8.self))
                    text.removeFirst(end + 1)
                    if isLast(lines[lines.count - 1]) { return lines }
                }
            }
        }
    }

    private func object(_ line: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
    }

    private func logged(_ log: (Logger) -> Void) throws -> (line: String, members: [String: Any]) {
        let pipe = try Pipe()
        log(Logger(label: "test") { JSONLogHandler(label: $0, writer: pipe.writer) })
        let line = pipe.lines { _ in true }[0]
        return (line, try object(line))
    }

    @Test("a line is one flat JSON object, with numbers as numbers and the time in milliseconds")
    func json() throws {
        let (line, members) = try logged { logger in
            logger.warning(
                "it \"happened\"\n\u{1}\u{7F} é",
                metadata: [
                    "count": .stringConvertible(7), "ratio": .stringConvertible(0.5), "holds": .stringConvertible(true),
                    "nothing": .stringConvertible(Double.nan), "id": "0123", "list": ["a", .stringConvertible(1)],
                    "inner": ["b": "c", "deeper": ["d": .stringConvertible(2)]], "message": "other", "time": "late",
                ])
        }
        #expect(members["message"] as? String == "it \"happened\"\n\u{1}\u{7F} é")
        #expect(members["level"] as? String == "warning" && members["label"] as? String == "test")
        let time = try #require(members["time"] as? String)
        #expect(time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil, "\(time)")
        #expect(line.hasPrefix(#"{"time":""#) && line.contains(#""count":7,"#) && line.contains(#""ratio":0.5"#))
        #expect(line.contains(#""holds":true"#) && line.contains(#""nothing":"nan""#))
        #expect(members["id"] as? String == "0123")
        #expect(line.contains(#""list":["a",1]"#))
        #expect(members["inner.b"] as? String == "c" && members["inner.deeper.d"] as? Int == 2)
        #expect(members["message_"] as? String == "other" && members["time_"] as? String == "late")
        #expect(!members.values.contains { $0 is [String: Any] })
    }

    @Test(
        "the time always has three fractional digits",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (5_999, "1970-01-01T00:00:00.005Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (1_700_000_000_120_000, "2023-11-14T22:13:20.120Z"),
        ] as [(Int64, String)])
    func time(_ microseconds: Int64, _ expected: String) {
        #expect(LogTime.text(Timestamp(microseconds: microseconds)) == expected)
    }

    @Test("unread lines are dropped beyond a limit, and a line reports their number when reading continues")
    func unread() throws {
        let pipe = try Pipe(limit: 100_000)
        let reported = Mutex(0)
        pipe.writer.report { count in
            reported.withLock { $0 += count }
            pipe.writer.write(Array("dropped".utf8))
        }
        let total = 10_000
        for number in 0..<total { pipe.writer.write(Array("line \(number) of the log, which is read late".utf8)) }
        var read = 0
        let lines = pipe.lines { line in
            if line != "dropped" { read += 1 }
            return read + reported.withLock { $0 } == total
        }.filter { $0 != "dropped" }
        #expect(lines.count < total && lines.count > 1_000)
        // No line is cut or out of order.
        let numbers = lines.compactMap { Int($0.dropFirst(5).prefix { $0.isNumber }) }
        #expect(numbers == numbers.sorted() && numbers.count == lines.count)
        #expect(lines.allSatisfy { $0.hasSuffix("read late") })
    }

    @Test("an unread log blocks neither requests nor shutdown", arguments: ["info", "trace"])
    func stopped(_ level: String) async throws {
        let folder = try TestFolder.make("log")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let database = try await TestDatabase.create()
        let instance = try await KeywardProcess.start(
            database: database.connectionString, logLevel: level, unreadLog: folder + "/pipe")
        let key = try await instance.create()
        let client = try RawConnection(to: instance.gateway)
        let head = "GET / HTTP/1.1\r\nHost: a\r\nX-API-Key: \(key.value)\r\n"
        let answers = Task { await client.read() }
        // At the level trace, the lines exceed the capacity of the pipe and of the memory for them.
        for _ in 0..<15_000 { #expect(client.send(head + "\r\n")) }
        client.send(head + "Connection: close\r\n\r\n")
        let text = try #require(await answers.value)
        #expect(text.utf8.suffix(2).elementsEqual("}\n".utf8))
        let metrics = try await instance.send(.GET, instance.control + "/metrics", key: nil).text
        let dropped = metrics.split(separator: "\n").first { $0.hasPrefix("keyward_log_lines_dropped_total ") }
        let lines = try #require(dropped?.split(separator: " ").last.flatMap { Double($0) })
        #expect(level == "info" ? lines == 0 : lines > 0)
        #expect(try await instance.stop() == 0)
        try await database.drop()
    }
}
