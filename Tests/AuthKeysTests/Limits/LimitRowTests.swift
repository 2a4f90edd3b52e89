import Testing

@testable import AuthKeys

@Suite("Row of a level")
struct LimitRowTests {
    private func question(
        rate: Double = 10, burst: Double = 10, debit: Double = 0, want: Double = 0, asked: Double = 1,
        demand: Double = 1, period: CalendarPeriod? = nil
    ) -> LimitQuestion {
        LimitQuestion(
            id: LimitID(high: 0, low: 1), period: period, rate: rate, burst: burst, tau: 1, debit: debit, want: want,
            asked: asked, demand: demand, isKnown: true)
    }

    @Test("a lease is debited at once, and units return at the rate")
    func leases() {
        var row = LimitRow(at: 0)
        let first = row.settle(question(want: 8), at: 0)
        #expect(first.granted == 8)
        #expect(first.available == 2)
        #expect(first.share == 1)
        let second = row.settle(question(asked: 0), at: 0.5)
        #expect(second.available == 7)
        #expect(row.settle(question(asked: 0), at: 100).available == 10)
    }

    @Test("an instance gets at most its share of what is left, but one unit")
    func shares() {
        var row = LimitRow(at: 0)
        _ = row.settle(question(asked: 99, demand: 99), at: 0)
        let second = row.settle(question(want: 10, asked: 1, demand: 1), at: 0)
        #expect(second.share == 0.01)
        #expect(second.granted == 1)
        #expect(row.settle(question(want: 10, asked: 100, demand: 100), at: 0).granted == 4)
    }

    @Test("a debt is paid before units are leased")
    func debts() {
        var row = LimitRow(at: 0)
        #expect(row.settle(question(debit: 25), at: 0).available == -15)
        #expect(row.settle(question(want: 5), at: 1).granted == 0)
        #expect(row.settle(question(want: 5, demand: 9), at: 2).granted == 5)
    }

    @Test("units that are given back never fill the row beyond its burst")
    func returns() {
        var row = LimitRow(at: 0)
        _ = row.settle(question(want: 4), at: 0)
        let answer = row.settle(question(want: -8, asked: 0), at: 0)
        #expect(answer.granted == -4)
        #expect(answer.available == 10)
    }

    /// A statement reads the time before it waits for the lock of the row. A row that went back in time once granted
    /// 3 % too much.
    @Test("the time of a row never goes back")
    func time() {
        var row = LimitRow(at: 0)
        _ = row.settle(question(debit: 10), at: 10)
        let waited = row.settle(question(asked: 0), at: 9.5)
        #expect(waited.available == 0)
        #expect(row.at == 10)
        #expect(row.settle(question(asked: 0), at: 10).available == 0)
    }

    @Test("a quota returns at the end of its period, and never before")
    func quota() {
        var row = LimitRow(at: 3_500)
        let first = row.settle(question(debit: 9, period: .hour), in: 0..<3_600, at: 3_590)
        #expect(first.available == 1)
        #expect(first.periodEnds == 10)
        #expect(row.settle(question(asked: 0, period: .hour), in: 0..<3_600, at: 3_599).available == 1)
        let next = row.settle(question(asked: 0, period: .hour), in: 3_600..<7_200, at: 3_601)
        #expect(next.available == 10)
        #expect(next.periodEnds == 3_599)
    }
}
