import AuthKeys
import HTTPCredentials
import KeyAdministration
import RequestLog
import TestSupport
import Testing

@Suite("Tail of the request log") struct RequestTailTests {
    private static let now = Timestamp(microseconds: 1_900_000_000_000_000)

    private static func at(_ seconds: Double) -> Timestamp { now.advanced(by: .seconds(seconds)) }

    private static func line(_ seconds: Double, owner: String? = nil, _ number: UInt64 = 0) -> LoggedRequest {
        let id = RequestID(at: at(seconds), random: (number, number))
        var line = LoggedRequest(
            at: at(seconds), id: id, method: "GET", path: "/", status: 200, outcome: .allowed, surface: .gateway)
        line.owner = owner
        return line
    }

    private static func searches(_ log: InMemoryRequestLog) -> RequestSearches {
        RequestSearches(log: log, trail: InMemoryStore())
    }

    @Test("each line is returned once, also if it is written after later ones") func lateLines() async throws {
        let log = InMemoryRequestLog([Self.line(-5)])
        var tail = try Self.searches(log).tail(RequestQuery(), after: nil, for: .bootstrap)
        // The lines that exist are not new.
        #expect(try await tail.poll(now: Self.now).lines.isEmpty)
        log.add([Self.line(0.5), Self.line(0.2)])
        #expect(try await tail.poll(now: Self.at(1)).lines == [Self.line(0.2), Self.line(0.5)])
        #expect(try await tail.poll(now: Self.at(2)).lines.isEmpty)
        // Began before the lines above, and before the tail.
        log.add([Self.line(0.1), Self.line(-20)])
        #expect(try await tail.poll(now: Self.at(3)).lines == [Self.line(-20), Self.line(0.1)])
        // Of an instance whose clock is ahead.
        log.add([Self.line(60)])
        #expect(try await tail.poll(now: Self.at(4)).lines == [Self.line(60)])
        for second in 5..<70 { #expect(try await tail.poll(now: Self.at(Double(second))).lines.isEmpty) }
        // Written more than 30 s after it began.
        log.add([Self.line(30)])
        #expect(try await tail.poll(now: Self.at(70)).lines.isEmpty)
    }

    @Test("random lines that are written within 30 s arrive exactly once") func randomLines() async throws {
        var random = SeededRandom(state: 8)
        let log = InMemoryRequestLog()
        var tail = try Self.searches(log).tail(RequestQuery(), after: nil, for: .bootstrap)
        _ = try await tail.poll(now: Self.now)
        var (written, received): ([LoggedRequest], [LoggedRequest]) = ([], [])
        for second in 1...60 {
            let lines = (0..<20).map { number in
                Self.line(Double(second) - .random(in: 0..<28, using: &random), UInt64(second * 100 + number))
            }
            log.add(lines)
            written += lines
            received += try await tail.poll(now: Self.at(Double(second) + 1)).lines
        }
        #expect(received.count == written.count && Set(received.map(\.id)) == Set(written.map(\.id)))
    }

    @Test("after a reconnection, no line is missing, and at most 1,000 and 15 minutes are repeated")
    func reconnection() async throws {
        func replay(_ seconds: Double, now: Double, more: [LoggedRequest] = []) async throws -> RequestTail.Batch {
            let lines = (0...Int(now / 20)).map { Self.line(Double($0) * 20, UInt64($0)) }
            let searches = Self.searches(InMemoryRequestLog(lines + more))
            let position = RequestCursor(after: Self.line(seconds, UInt64(seconds / 20)))
            var tail = try searches.tail(RequestQuery(), after: position, for: .bootstrap)
            let batch = try await tail.poll(now: Self.at(now))
            #expect(try await tail.poll(now: Self.at(now)).lines.isEmpty)
            return batch
        }
        // The line 20 s before may have been written later.
        #expect(try await replay(600, now: 700).lines.map(\.at) == [580, 620, 640, 660, 680, 700].map { Self.at($0) })
        #expect(try await replay(0, now: 1_180).lines.first?.at == Self.at(280))
        // A position in the future, such as of an instance whose clock is ahead.
        #expect(try await replay(1_180, now: 1_000).lines.map(\.at) == [980, 1_000].map { Self.at($0) })
        let many = try await replay(1_180, now: 1_201, more: (0..<2_500).map { Self.line(1_190, UInt64($0) + 1_000) })
        #expect(many.lines.count == RequestTail.replayLimit && many.skipped == 1_502)
        #expect(many.lines == many.lines.sorted { ($0.at, $0.id) < ($1.at, $1.id) })
    }

    @Test("a poll returns at most 2,000 lines and the number of the others, which do not return later")
    func bounds() async throws {
        let log = InMemoryRequestLog()
        var tail = try Self.searches(log).tail(RequestQuery(), after: nil, for: .bootstrap)
        _ = try await tail.poll(now: Self.now)
        log.add((0..<45_000).map { Self.line(Double($0) / 45_000, UInt64($0)) })
        let first = try await tail.poll(now: Self.at(1))
        #expect(first.lines.count == RequestTail.pollLimit && first.skipped == 18_000)
        #expect(try await tail.poll(now: Self.at(2)) == RequestTail.Batch(lines: [], skipped: 0))
        log.add([Self.line(2.5)])
        #expect(try await tail.poll(now: Self.at(3)).lines == [Self.line(2.5)])
    }

    @Test("a tail has the filter of its query and the scope of its admin") func scope() async throws {
        let log = InMemoryRequestLog()
        let searches = Self.searches(log)
        let limited = AdminCall.of(owner: "acme").admin
        var query = RequestQuery()
        query.status = StatusRange("2xx")
        var tail = try searches.tail(query, after: nil, for: limited)
        _ = try await tail.poll(now: Self.now)
        let owners = ["acme", "acme/a", "acme2", nil]
        log.add(owners.enumerated().map { Self.line(0.1, owner: $1, UInt64($0)) })
        var other = Self.line(0.2, owner: "acme", 9)
        other.status = 404
        log.add([other])
        #expect(try await tail.poll(now: Self.at(1)).lines.map(\.owner) == ["acme", "acme/a"])
    }

    @Test("a tail beyond the limit is refused until another one ends") func limit() async throws {
        let searches = Self.searches(InMemoryRequestLog())
        var tails = try (0..<RequestSearches.tailLimit).map { number in
            try searches.tail(RequestQuery(), after: nil, for: AdminCall.of("\(number)").admin)
        }
        #expect(throws: AuthKeyError.tooMany(.tails)) {
            try searches.tail(RequestQuery(), after: nil, for: AdminCall.of("another").admin)
        }
        tails.removeLast()
        _ = try searches.tail(RequestQuery(), after: nil, for: AdminCall.of("another").admin)
        #expect(tails.count == RequestSearches.tailLimit - 1)
    }
}
