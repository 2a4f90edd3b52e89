import AuthKeys
import HTTPCredentials
import Testing

@testable import RequestLog

@Suite("Request page")
struct RequestPageTests {
    private func lines(of page: RequestPage) -> [TestLine] {
        var lines: [TestLine] = []
        page.forEach { lines.append(TestLine($0)) }
        return lines
    }

    @Test("lines are read as they were appended, at the limits of every field")
    func roundTrip() {
        let usual = TestLine()
        var least = TestLine(
            at: Timestamp(microseconds: .min), id: RequestID(high: 0, low: 0), surface: .middleware,
            outcome: .terminated, status: 0, keyID: nil, microseconds: .min, upstreamMicroseconds: nil)
        (least.address, least.method, least.path) = (nil, "", "")
        var most = TestLine(
            at: Timestamp(microseconds: .max), id: RequestID(high: .max, low: .max), surface: .unkey, outcome: .failed,
            status: .max, code: String(repeating: "c", count: 64), keyID: KeyID(high: .max, low: .max),
            flags: RequestFlags(rawValue: .max), weight: .max, microseconds: .max, upstreamMicroseconds: .max,
            bytesIn: .max, bytesOut: .max, upstream: .max)
        most.address = IPAddress("2001:db8::ffff:ffff")
        most.method = String(repeating: "M", count: 32)
        most.path = "/" + String(repeating: "p", count: RequestPage.pathLimit - 1)
        most.query = String(repeating: "q", count: RequestPage.queryLimit)
        most.agent = String(repeating: "a", count: 64)
        most.owner = String(repeating: "ö", count: 800)
        var page = RequestPage()
        #expect(page.isEmpty && page.began == nil)
        for line in [usual, least, most] {
            let isAppended = line.with { page.append($0) }
            #expect(isAppended)
        }
        #expect(lines(of: page) == [usual, least, most])
        #expect(page.count == 3 && page.began == usual.at)
    }

    @Test("longer paths and queries are cut, and the line is flagged")
    func cut() {
        var page = RequestPage()
        var line = TestLine()
        line.path = String(repeating: "p", count: 65_535)
        let isAppended = line.with { page.append($0) }
        #expect(isAppended)
        let read = lines(of: page)[0]
        #expect(read.path.utf8.count == RequestPage.pathLimit && read.flags == .cut)
    }

    @Test("a full page refuses a line and keeps the others")
    func full() {
        var page = RequestPage()
        var line = TestLine()
        line.path = String(repeating: "p", count: 900)
        while line.with({ page.append($0) }) {}
        let count = page.count
        #expect(page.size > RequestPage.capacity - 1_100 && lines(of: page) == Array(repeating: line, count: count))
        let copy = page
        line.path = ""
        _ = line.with { page.append($0) }
        #expect(copy.count == count && lines(of: copy).count == count)
    }
}
