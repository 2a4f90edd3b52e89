import AuthKeys
import HTTPCredentials
import TestSupport
import Testing

@testable import RequestLog

@Suite("Request page")
struct RequestPageTests {
    @Test("lines are read as they were appended, at the limits of every field")
    func roundTrip() {
        let usual = TestLine()
        var least = TestLine()
        (least.at, least.id) = (Timestamp(microseconds: .min), RequestID(high: 0, low: 0))
        (least.surface, least.outcome, least.status, least.keyID) = (.middleware, .terminated, 0, nil)
        (least.microseconds, least.upstreamMicroseconds) = (.min, nil)
        (least.address, least.method, least.path) = (nil, "", "")
        var most = TestLine()
        (most.at, most.id) = (Timestamp(microseconds: .max), RequestID(high: .max, low: .max))
        (most.surface, most.outcome, most.status) = (.unkey, .failed, .max)
        (most.code, most.keyID) = (String(repeating: "c", count: 64), KeyID(high: .max, low: .max))
        (most.flags, most.weight, most.upstream) = (RequestFlags(rawValue: .max), .max, .max)
        (most.microseconds, most.upstreamMicroseconds, most.bytesIn, most.bytesOut) = (.max, .max, .max, .max)
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
        #expect(page.lines == [usual, least, most])
        #expect(page.count == 3 && page.began == usual.at.advanced(by: .microseconds(usual.microseconds)))
    }

    @Test("longer paths and queries are cut, and the line is flagged")
    func cut() {
        var page = RequestPage()
        var line = TestLine()
        line.path = String(repeating: "p", count: 65_535)
        let isAppended = line.with { page.append($0) }
        #expect(isAppended)
        let read = page.lines[0]
        #expect(read.path.utf8.count == RequestPage.pathLimit && read.flags == .cut)
    }

    @Test("a full page refuses a line and keeps the others")
    func full() {
        var page = RequestPage()
        var line = TestLine()
        line.path = String(repeating: "p", count: 900)
        while line.with({ page.append($0) }) {}
        let count = page.count
        #expect(count >= RequestPage.capacity / 1_100 && page.lines == Array(repeating: line, count: count))
        let copy = page
        line.path = ""
        _ = line.with { page.append($0) }
        #expect(copy.count == count && copy.lines.count == count)
    }
}
