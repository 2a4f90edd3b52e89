import AuthKeys
import HTTPCredentials
import RequestLog
import TestSupport
import Testing

@testable import KeyAdministration

@Suite("Limits of searches of the request log") struct RequestSearchesTests {
    private static func lines(_ count: Int) -> [LoggedRequest] {
        (0..<count).map { number in
            let at = Timestamp(microseconds: 1_900_000_000_000_000 + Int64(number))
            return LoggedRequest(
                at: at, id: RequestID(at: at, random: (1, UInt64(number))), method: "GET", path: "/", status: 200,
                outcome: .allowed, surface: .gateway)
        }
    }

    @Test("a search beyond the limit is refused; exports and tails wait for their turn")
    func searches() async throws {
        let log = InMemoryRequestLog(Self.lines(3))
        let searches = RequestSearches(log: log, trail: InMemoryStore())
        log.setHeld(true)
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<RequestSearches.searchLimit {
                group.addTask { try await searches.search(RequestQuery(), for: .bootstrap).lines.count }
            }
            // Held searches occupy all slots once they run.
            let isFull = await eventually { log.waiting == RequestSearches.searchLimit }
            #expect(isFull)
            await #expect(throws: AuthKeyError.tooMany(.searches)) {
                try await searches.search(RequestQuery(), for: .bootstrap)
            }
            group.addTask {
                try await searches.export(RequestQuery(), by: .test).page.lines.count
            }
            let cancelled = Task { try await searches.export(RequestQuery(), by: .of("other")) }
            cancelled.cancel()
            await #expect(throws: AuthKeyError.self) { try await cancelled.value }
            log.setHeld(false)
            for try await count in group { #expect(count == 3) }
        }
        #expect(try await searches.search(RequestQuery(), for: .bootstrap).lines.count == 3)
    }

    @Test("an export has all pages, is in the trail, and one beyond the limit is refused")
    func exports() async throws {
        let store = InMemoryStore()
        let lines = Self.lines(2_500)
        let searches = RequestSearches(log: InMemoryRequestLog(lines), trail: store)
        var export = try await searches.export(RequestQuery(limit: 5), by: .of("exporter", owner: nil))
        var found = export.page.lines
        while try await export.advance() { found += export.page.lines }
        #expect(found == lines.reversed())
        let events = try await store.events(AuditQuery(action: .requestExport))
        #expect(events.count == 1 && events.first?.actorName == "exporter")

        let other = try await searches.export(RequestQuery(), by: .of("other"))
        await #expect(throws: AuthKeyError.tooMany(.exports)) {
            try await searches.export(RequestQuery(), by: .of("third"))
        }
        _ = (export, other)
    }

    @Test("an admin key has at most half of the exports and tails, until one of its own ends")
    func shares() async throws {
        let searches = RequestSearches(log: InMemoryRequestLog(Self.lines(3)), trail: InMemoryStore())
        let (one, other) = (AdminCall.of("one"), AdminCall.of("other"))
        let export = try await searches.export(RequestQuery(), by: one)
        await #expect(throws: AuthKeyError.tooMany(.exports, share: 1)) {
            try await searches.export(RequestQuery(), by: one)
        }
        _ = try await searches.export(RequestQuery(), by: other)
        let share = RequestSearches.tailLimit / 2
        var tails = try (0..<share).map { _ in try searches.tail(RequestQuery(), after: nil, for: one.admin) }
        #expect(throws: AuthKeyError.tooMany(.tails, share: share)) {
            try searches.tail(RequestQuery(), after: nil, for: one.admin)
        }
        _ = try searches.tail(RequestQuery(), after: nil, for: other.admin)
        tails.removeLast()
        _ = try searches.tail(RequestQuery(), after: nil, for: one.admin)
        _ = (export, tails)
    }

    @Test("exports and tails leave half of the slots to searches, however many of them wait")
    func background() async throws {
        let log = InMemoryRequestLog(Self.lines(3))
        let searches = RequestSearches(log: log, trail: InMemoryStore())
        let background = RequestSearches.searchLimit / 2
        log.setHeld(true)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<RequestSearches.tailLimit {
                let admin = AdminCall.of("\(number)").admin
                group.addTask {
                    var tail = try searches.tail(RequestQuery(), after: nil, for: admin)
                    _ = try await tail.poll()
                }
            }
            let isFull = await eventually { log.waiting == background && searches.slots.waiting > 0 }
            #expect(isFull)
            for _ in background..<RequestSearches.searchLimit {
                group.addTask { _ = try await searches.search(RequestQuery(), for: .bootstrap) }
            }
            let areServed = await eventually { log.waiting == RequestSearches.searchLimit }
            #expect(areServed)
            log.setHeld(false)
            try await group.waitForAll()
        }
        #expect(searches.slots.waiting == 0)
    }

    @Test("a request is found by its id within the scope of the admin only") func request() async throws {
        var line = Self.lines(1)[0]
        line.owner = "acme/a"
        let searches = RequestSearches(log: InMemoryRequestLog([line]), trail: InMemoryStore())
        let id = line.id.description
        for (owner, isFound) in [(nil, true), ("acme", true), ("acme/a", true), ("acme/b", false), ("acm", false)] {
            let admin = AdminCall.of(owner: owner).admin
            if isFound {
                #expect(try await searches.request(id.uppercased(), for: admin) == line)
            } else {
                await #expect(throws: AuthKeyError.notFound(id: id)) { try await searches.request(id, for: admin) }
            }
        }
        for text in ["", "x", String(repeating: "0", count: 33), KeyID.generate().description] {
            await #expect(throws: AuthKeyError.notFound(id: text)) {
                try await searches.request(text, for: .bootstrap)
            }
        }
    }

    @Test("a changed or truncated cursor is refused") func cursors() {
        let cursor = RequestCursor(after: Self.lines(1)[0])
        #expect(RequestCursor(encoded: cursor.encoded) == cursor)
        let text = Array(cursor.encoded.utf8)
        for index in text.indices {
            for byte in [UInt8(ascii: "A"), UInt8(ascii: "z"), UInt8(ascii: "=")] where byte != text[index] {
                var changed = text
                changed[index] = byte
                #expect(RequestCursor(encoded: String(decoding: changed, as: UTF8.self)) == nil)
            }
            #expect(RequestCursor(encoded: String(decoding: text.prefix(index), as: UTF8.self)) == nil)
        }
        let audit = AuditCursor(at: cursor.at, id: 1)
        #expect(RequestCursor(encoded: audit.encoded) == nil)
        #expect(RequestCursor(encoded: RequestCursor(before: Timestamp(microseconds: .max)).encoded) == nil)
    }

    @Test("a status or a class of statuses is read") func statuses() {
        for (text, range) in [
            ("200", 200...200), ("429", 429...429), ("4xx", 400...499), ("5XX", 500...599), ("1xx", 100...199),
            ("0", 0...0), ("599", 599...599),
        ] as [(String, ClosedRange<Int16>)] {
            let read = StatusRange(text)
            #expect(read?.lowest == range.lowerBound && read?.highest == range.upperBound, "\(text)")
        }
        for text in [
            "", "x", "00", "6xx", "0xx", "4x", "4x4", "40", "4000", "-200", "+200", "２00", "4xxx", "600", " 200",
        ] {
            #expect(StatusRange(text) == nil, "\(text)")
        }
    }
}
