import AuthKeys
import TestSupport
import Testing

@testable import RequestLog

@Suite("Request log")
struct RequestLogTests {
    private func line(at second: Int64, path: String = "/") -> TestLine {
        .with {
            ($0.at, $0.microseconds, $0.path) = (Timestamp(microseconds: second * 1_000_000), 0, path)
        }
    }

    private func paths(_ pages: [RequestPage]) -> [String] { pages.flatMap(\.lines).map(\.path) }

    @Test("a page is handed over a second after its first line, and when the log closes")
    func handOver() throws {
        let log = RequestLog()
        let rows = try #require(log.rows)
        line(at: 1, path: "/a").with { log.note($0) }
        log.tick(at: Timestamp(microseconds: 1_900_000))
        #expect(rows.take(upTo: 1_000_000).isEmpty)
        log.tick(at: Timestamp(microseconds: 2_000_000))
        #expect(paths(rows.take(upTo: 1_000_000)) == ["/a"])
        line(at: 3, path: "/b").with { log.note($0) }
        log.close()
        #expect(paths(rows.take(upTo: 1_000_000)) == ["/b"])
        line(at: 4, path: "/c").with { log.note($0) }
        log.close()
        #expect(rows.take(upTo: 1_000_000).isEmpty)
    }

    @Test("lines beyond the capacity are dropped and counted with their weights")
    func overflow() throws {
        let log = RequestLog(capacity: 2 * RequestPage.capacity)
        var logger = RequestLogger(log: log, producers: 1)
        let requests = 3_000
        for number in 0..<requests {
            // Refusals, which a queue that fills up thins out last.
            var line = line(at: Int64(number), path: String(repeating: "p", count: 800))
            line.outcome = .denied
            line.with { logger.log($0) }
        }
        logger.close()
        let weights = try #require(log.rows).takeLines().reduce(0) { $0 + Int($1.weight) }
        let lost = log.takeLost()
        #expect(weights > 0 && lost > 0 && weights + lost == requests && log.takeLost() == 0)
    }

    @Test("a writer waits for a page, and returns at the close or when it is cancelled")
    func waiting() async throws {
        let queue = PageQueue(capacity: 1)
        var page = RequestPage()
        _ = line(at: 1).with { page.append($0) }
        let (one, wait) = (page, Task { await queue.wait() })
        #expect(queue.append(one))
        await wait.value
        #expect(queue.take(upTo: 0).count == 1 && queue.bytes == 0)
        let cancelled = Task { await queue.wait() }
        cancelled.cancel()
        await cancelled.value
        let closed = Task { await queue.wait() }
        queue.close()
        await closed.value
        #expect(!queue.append(one))
    }

    @Test("names of upstreams are numbered once")
    func names() {
        let names = UpstreamNames()
        #expect(names.number(of: "a:1") == 1 && names.number(of: "b:1") == 2 && names.number(of: "a:1") == 1)
        #expect(names.name(2) == "b:1" && names.name(0) == nil && names.name(3) == nil)
    }

    @Test("a waiting page takes the memory of its lines")
    func memory() throws {
        let log = RequestLog(capacity: 1 << 20)
        let rows = try #require(log.rows)
        for second in 1...100 {
            line(at: Int64(second)).with { log.note($0) }
            log.tick(at: Timestamp(microseconds: Int64(second + 1) * 1_000_000))
        }
        #expect(rows.bytes < 100 * 1_000)
        #expect(rows.takeLines().count == 100 && rows.bytes == 0)
    }
}
