import TestSupport
import Testing

@testable import AuthKeys

@Suite("Table of failed attempts")
struct AttemptTableTests {
    private func network(_ text: String) throws -> AttemptNetwork {
        AttemptNetwork(try #require(IPAddress(text)))
    }

    private func rate(_ attempts: Int = 3) throws -> AttemptRate {
        try #require(AttemptRate(attempts, in: .seconds(60)))
    }

    @Test("an IPv4 address is a network, and so is the /64 of an IPv6 address")
    func networks() throws {
        #expect(try network("192.0.2.1") != network("192.0.2.2"))
        #expect(try network("192.0.2.1") == network("::ffff:192.0.2.1"))
        #expect(try network("2001:db8:0:1::1") == network("2001:db8:0:1:ffff::2"))
        #expect(try network("2001:db8:0:1::1") != network("2001:db8:0:2::1"))
        #expect(try network("0.0.0.1") != network("::1"))
        #expect(try network("192.0.2.1").description == "192.0.2.1")
        #expect(try network("2001:db8:0:1::1").description == "2001:db8:0:1::/64")
    }

    @Test("networks have budgets of their own, also in one set")
    func own() throws {
        var table = AttemptTable(sets: 1, rate: try rate())
        for number in 0..<AttemptTable.ways {
            let network = try network("192.0.2.\(number)")
            for _ in 0..<3 { #expect(table.take(network, hash: 7, at: 0) == nil) }
        }
        #expect(table.exceededCount(at: 0) == AttemptTable.ways && table.exceededCount(at: 30) == 0)
        for number in 0..<AttemptTable.ways {
            #expect(table.take(try network("192.0.2.\(number)"), hash: 7, at: 0) != nil)
        }
    }

    @Test("a flood from other networks replaces full budgets, and not those that are exceeded")
    func flood() throws {
        var table = AttemptTable(sets: 4, rate: try rate())
        var random = SeededRandom(state: 1)
        let guessers = try (0..<8).map { try network("192.0.2.\($0)") }
        for guesser in guessers {
            for attempt in 0..<4 { #expect((table.take(guesser, hash: 2, at: 0) == nil) == (attempt < 3)) }
        }
        for step in 0..<100_000 {
            let other = AttemptNetwork(IPAddress(high: random.next(), low: 0, isV4: false))
            #expect(table.take(other, hash: random.next(), at: Double(step) / 100_000) == nil)
        }
        for guesser in guessers { #expect(table.take(guesser, hash: 2, at: 1) != nil) }
    }

    @Test("if all budgets of a set are exceeded, the one that is refilled first is replaced")
    func fullSet() throws {
        var table = AttemptTable(sets: 1, rate: try rate(1))
        for number in 0..<AttemptTable.ways {
            // The first network has made its attempt long ago.
            _ = table.take(try network("192.0.2.\(number)"), hash: 0, at: number == 0 ? 0 : 40)
        }
        _ = table.take(try network("198.51.100.1"), hash: 0, at: 50)
        for number in 1..<AttemptTable.ways {
            #expect(table.take(try network("192.0.2.\(number)"), hash: 0, at: 50) != nil)
        }
    }

    @Test("refused attempts are reported once, with the worst network")
    func refusals() throws {
        var table = AttemptTable(sets: 16, rate: try rate(1))
        let (quiet, loud) = (try network("192.0.2.1"), try network("2001:db8::1"))
        for _ in 0..<3 { _ = table.take(quiet, hash: 1, at: 0) }
        for _ in 0..<9 { _ = table.take(loud, hash: 2, at: 0) }
        let refusals = table.takeRefusals()
        #expect(refusals.networks == 2 && refusals.worst?.network == loud && refusals.worst?.attempts == 8)
        #expect(table.takeRefusals().worst == nil)
    }
}
