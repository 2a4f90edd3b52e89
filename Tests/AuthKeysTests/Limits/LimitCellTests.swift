import Testing

@testable import AuthKeys

@Suite("Cell of a limit")
struct LimitCellTests {
    private let id = LimitID(high: 1, low: 2)

    private func cell(_ terms: LimitTerms, instances: Double = 1, at now: Double = 0) -> LimitCell {
        LimitCell(id: id, terms: terms, at: now, in: LimitCircumstances(instances: instances))
    }

    private func answer(_ granted: Double, _ available: Double, share: Double = 1, ends: Double? = nil) -> LimitAnswer {
        LimitAnswer(id: id, granted: granted, available: available, share: share, periodEnds: ends)
    }

    @Test("an unknown limit begins with an even share of its burst")
    func opening() {
        let circumstances = LimitCircumstances(instances: 4)
        var cell = cell(.rate(1, burst: 8), instances: 4)
        #expect(cell.take(1, in: circumstances) != nil)
        #expect(cell.take(1, in: circumstances) != nil)
        #expect(cell.take(1, in: circumstances) == nil)
    }

    @Test("the first request fits whatever the even share is")
    func openingOfCost() {
        let circumstances = LimitCircumstances(instances: 4)
        var cell = LimitCell(id: id, terms: .rate(1, burst: 8), opening: 5, at: 0, in: circumstances)
        #expect(cell.take(5, in: circumstances) != nil)
    }

    @Test("a cell whose use stays within its quiet part asks nothing")
    func quiet() {
        let circumstances = LimitCircumstances(instances: 2)
        var cell = cell(.rate(100, burst: 6_000), instances: 2)
        for number in 0..<1_000 {
            let now = Double(number)
            cell.refresh(at: now, in: circumstances)
            #expect(cell.take(1, in: circumstances) != nil)
            #expect(cell.asksAt(in: circumstances) == .infinity)
        }
        for _ in 0..<200 { _ = cell.take(1, in: circumstances) }
        #expect(cell.asksAt(in: circumstances) <= 1_000)
    }

    @Test("units beyond the lease are reported once")
    func debts() {
        let circumstances = LimitCircumstances(instances: 2)
        var cell = cell(.rate(10, burst: 10), instances: 2)
        for _ in 0..<3 { _ = cell.take(1, in: circumstances) }
        let first = cell.question(at: 0, in: circumstances)
        #expect(first.debit == 3)
        #expect(first.asked == 3)
        #expect(!first.isKnown)
        _ = cell.take(1, in: circumstances)
        cell.answer(answer(2, 5, share: 0.5), at: 0, in: circumstances)
        #expect(cell.lease == 2)
        let second = cell.question(at: 0.02, in: circumstances)
        #expect(second.debit == 1)
        #expect(second.isKnown)
    }

    @Test("a question without an answer is asked again with its debt")
    func failures() {
        let circumstances = LimitCircumstances(instances: 2)
        var cell = cell(.rate(10, burst: 10), instances: 2)
        _ = cell.take(3, in: circumstances)
        _ = cell.question(at: 0, in: circumstances)
        cell.fail(.withoutEffect)
        #expect(cell.question(at: 1, in: circumstances).debit == 3)
    }

    @Test("units that another limit refused are given back where they came from")
    func givesBack() {
        let circumstances = LimitCircumstances(instances: 2)
        var cell = cell(.rate(10, burst: 10), instances: 2)
        _ = cell.take(1, in: circumstances)
        _ = cell.question(at: 0, in: circumstances)
        cell.answer(answer(2, 6, share: 0.5), at: 0, in: circumstances)
        let before = cell
        let taken = cell.take(3, in: circumstances) ?? LimitCell.Taken()
        #expect(cell.lease == 0)
        #expect(cell.debt == 1)
        cell.giveBack(taken, cost: 3)
        #expect(cell.lease == before.lease)
        #expect(cell.debt == 0)
        #expect(cell.overdraft == before.overdraft)
        #expect(cell.asked == before.asked)
    }

    @Test("units that are given back after they were reported become a lease")
    func givesBackReported() {
        let circumstances = LimitCircumstances(instances: 2)
        var cell = cell(.rate(10, burst: 10), instances: 2)
        let taken = cell.take(2, in: circumstances) ?? LimitCell.Taken()
        let question = cell.question(at: 0, in: circumstances)
        cell.giveBack(taken, cost: 2)
        #expect(question.debit == 2)
        #expect(cell.debt == 0)
        #expect(cell.lease == 2)
    }

    @Test("a cell is kept until the units that it saw as taken have returned")
    func forgetting() {
        let circumstances = LimitCircumstances(instances: 2)
        var cell = cell(.rate(1, burst: 60), instances: 2)
        _ = cell.take(30, in: circumstances)
        _ = cell.question(at: 0, in: circumstances)
        cell.answer(answer(0, 20, share: 0.5), at: 0, in: circumstances)
        cell.refresh(at: 39, in: circumstances)
        #expect(!cell.isForgettable(at: 39, in: circumstances))
        #expect(cell.isForgettable(at: 41, in: circumstances))
    }

    @Test("a changed definition counts from the next request, and the level stays")
    func changes() {
        let circumstances = LimitCircumstances()
        var cell = cell(.rate(10, burst: 100))
        #expect(cell.take(60, in: circumstances) != nil)
        _ = cell.question(at: 0, in: circumstances)
        cell.answer(answer(0, 40), at: 0, in: circumstances)
        cell.adapt(to: .rate(10, burst: 80), in: circumstances)
        #expect(cell.take(21, in: circumstances) == nil)
        #expect(cell.take(20, in: circumstances) != nil)
        cell.adapt(to: .rate(10, burst: 20), in: circumstances)
        // The level is the new burst at most, so that one unit is back after a tenth of a second.
        #expect(cell.take(1, in: circumstances) == nil)
    }

    // MARK: - Quotas

    @Test("a lease and a debt of a past period do not count in the next one")
    func periods() {
        let circumstances = LimitCircumstances(instances: 2)
        var cell = cell(.quota(100, .hour), instances: 2)
        _ = cell.take(50, in: circumstances)
        _ = cell.question(at: 0, in: circumstances)
        cell.answer(answer(20, 0, share: 1, ends: 100), at: 0, in: circumstances)
        _ = cell.take(10, in: circumstances)
        #expect(cell.lease == 10)
        cell.refresh(at: 100, in: circumstances)
        #expect(cell.lease == 0)
        #expect(cell.debt == 0)
        #expect(cell.remaining(at: 100, in: circumstances) == 100)
        #expect(cell.take(20, in: circumstances) != nil)
        #expect(cell.question(at: 101, in: circumstances).debit == 20)
    }

    @Test("an answer about a past period leases nothing in the next one")
    func answersOfThePast() {
        let circumstances = LimitCircumstances(instances: 2)
        var cell = cell(.quota(100, .hour), instances: 2)
        _ = cell.take(50, in: circumstances)
        _ = cell.question(at: 0, in: circumstances)
        cell.answer(answer(0, 50, share: 1, ends: 10), at: 0, in: circumstances)
        _ = cell.take(10, in: circumstances)
        _ = cell.question(at: 9.999, in: circumstances)
        cell.refresh(at: 10, in: circumstances)
        cell.answer(answer(30, 10, share: 1, ends: 0.001), at: 10.001, in: circumstances)
        #expect(cell.lease == 0)
        #expect(cell.remaining(at: 10.001, in: circumstances) == 100)
    }

    @Test("the period of the database counts if its clock is ahead")
    func clockAhead() {
        let circumstances = LimitCircumstances(instances: 2)
        var cell = cell(.quota(100, .hour), instances: 2)
        _ = cell.take(50, in: circumstances)
        _ = cell.question(at: 0, in: circumstances)
        cell.answer(answer(10, 0, share: 1, ends: 10), at: 0, in: circumstances)
        _ = cell.question(at: 9.99, in: circumstances)
        cell.answer(answer(5, 95, share: 1, ends: 3_600), at: 9.995, in: circumstances)
        #expect(cell.lease == 5)
        #expect(cell.reset(at: 9.995, remaining: 0) == 3_600)
    }

    @Test("an instance that is alone counts a quota to the unit")
    func exactQuota() {
        let circumstances = LimitCircumstances()
        var cell = cell(.quota(5, .day))
        for _ in 0..<5 { #expect(cell.take(1, in: circumstances) != nil) }
        #expect(cell.take(1, in: circumstances) == nil)
        cell.refresh(at: 40_000, in: circumstances)
        #expect(cell.take(1, in: circumstances) == nil)
    }

    // MARK: - An absent database

    @Test("a failure of the database without requests costs nothing")
    func shortOutage() {
        var circumstances = LimitCircumstances(instances: 2)
        var cell = cell(.rate(10, burst: 100), instances: 2)
        _ = cell.take(40, in: circumstances)
        _ = cell.question(at: 0, in: circumstances)
        cell.answer(answer(0, 60, share: 1), at: 0, in: circumstances)
        circumstances.away = .share
        cell.refresh(at: 1, in: circumstances)
        circumstances.away = nil
        cell.refresh(at: 1.5, in: circumstances)
        #expect(abs(cell.debt) < 1e-6)
    }

    @Test("an absent database serves as the setting says", arguments: LimitOptions.Away.allCases)
    func away(mode: LimitOptions.Away) {
        var circumstances = LimitCircumstances(instances: 2)
        var cell = cell(.rate(10, burst: 10), instances: 2)
        _ = cell.take(1, in: circumstances)
        _ = cell.question(at: 0, in: circumstances)
        cell.answer(answer(2, 7, share: 0.5), at: 0, in: circumstances)
        circumstances.away = mode
        var admitted = 0
        for _ in 0..<100 {
            cell.refresh(at: 0, in: circumstances)
            if cell.take(1, in: circumstances) != nil { admitted += 1 }
        }
        let expected: Int =
            switch mode {
            // The lease, and the share of what was left.
            case .share: 5
            case .open: 100
            case .closed: 2
            }
        #expect(admitted == expected)
    }
}
