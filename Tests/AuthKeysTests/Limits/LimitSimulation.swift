import Glibc
import TestSupport

@testable import AuthKeys

/// A simulation of instances that share one limit: cells, one row, and a perfect bucket that gets the same requests.
/// Time advances in steps. A question takes 4 ms, and reaches the row in the middle.
struct LimitSimulation {
    enum Traffic: String, CaseIterable, Sendable {
        /// Each instance gets the same number of requests.
        case even
        /// The numbers of requests follow a Zipf distribution.
        case uneven
        /// Each instance gets its requests in a tenth of the time, 100 ms at once.
        case bursty
        /// One instance gets all requests, another one every 2 s.
        case shifting
        /// All instances get as many requests as the burst at one moment, every 5 s.
        case spray
    }

    struct Setup: Sendable, CustomStringConvertible {
        var instances: Int
        var traffic: Traffic
        /// Requests per unit of the rate.
        var load: Double
        /// Units per second.
        var rate: Double
        /// The time in which a burst returns, in seconds.
        var window = 1.0
        var seconds: Double
        var seed: UInt64
        var step = 0.002
        /// The time in which the database does not respond.
        var outage: Range<Double>?

        var burst: Double { (rate * window).rounded() }
        var description: String {
            "\(instances) instances, \(traffic.rawValue), load \(load), \(rate)/s, window \(window) s, seed \(seed)"
        }
    }

    struct Result {
        var offered = 0.0
        var admitted = 0.0
        /// The units that the perfect bucket admitted.
        var ideal = 0.0
        /// The largest number of units beyond `burst + rate × t` in any interval t.
        var excess = 0.0
        /// The requests that the perfect bucket decided differently.
        var differences = 0
        var questions = 0
        /// Admitted units by second.
        var bySecond: [Double] = []
    }

    private struct Flight {
        let question: LimitQuestion
        let rowAt: Double
        let answerAt: Double
        var answer: LimitAnswer?
    }

    let setup: Setup
    private var random: SeededRandom
    private var cells: [LimitCell?]
    private var flights: [Flight?]
    private var isOn: [Bool]
    private var row: LimitRow?
    private var circumstances: LimitCircumstances
    /// The parts of instances in uneven traffic.
    private let zipf: [Double]
    private let terms: LimitTerms
    private let id = LimitID(high: 1, low: 2)
    private var result = Result()

    init(_ setup: Setup) {
        self.setup = setup
        random = SeededRandom(state: setup.seed)
        cells = Array(repeating: nil, count: setup.instances)
        flights = Array(repeating: nil, count: setup.instances)
        isOn = (0..<setup.instances).map { _ in false }
        circumstances = LimitCircumstances(instances: Double(setup.instances))
        let weights = (1...setup.instances).map { pow(Double($0), -1.2) }
        zipf = weights.map { $0 / weights.reduce(0, +) }
        terms = LimitTerms.rate(setup.rate, burst: setup.burst)
    }

    static func run(_ setup: Setup) -> Result {
        var simulation = LimitSimulation(setup)
        return simulation.run()
    }

    private mutating func run() -> Result {
        var ideal = PerfectBucket(rate: setup.rate, burst: setup.burst)
        var meter = PerfectBucket(rate: setup.rate, burst: setup.burst)
        let steps = Int(setup.seconds / setup.step)
        for number in 0..<steps {
            let now = Double(number) * setup.step
            follow(at: now)
            var admitted = 0.0
            for (instance, count) in arrivals(at: now).enumerated() where count > 0 {
                for _ in 0..<count {
                    result.offered += 1
                    let (isIdeal, isAdmitted) = (ideal.take(at: now), take(at: instance, now))
                    if isIdeal { result.ideal += 1 }
                    if isAdmitted { admitted += 1 }
                    if isIdeal != isAdmitted { result.differences += 1 }
                }
            }
            meter.spend(admitted, at: now)
            result.excess = max(result.excess, -meter.units)
            result.admitted += admitted
            while result.bySecond.count <= Int(now) { result.bySecond.append(0) }
            result.bySecond[Int(now)] += admitted
        }
        return result
    }

    private mutating func take(at instance: Int, _ now: Double) -> Bool {
        var cell = cells[instance] ?? LimitCell(id: id, terms: terms, at: now, in: circumstances)
        cell.refresh(at: now, in: circumstances)
        let taken = cell.take(1, in: circumstances)
        cells[instance] = cell
        return taken != nil
    }

    /// Makes a request. Returns nil if it is admitted, or the seconds to wait.
    mutating func attempt(at instance: Int, _ now: Double) -> Double? {
        guard !take(at: instance, now), let cell = cells[instance] else { return nil }
        let remaining = cell.remaining(at: now, in: circumstances)
        return cell.retryAfter(1, at: now, remaining: remaining, in: circumstances)
    }

    /// Carries questions to the row and answers back, and asks those that are due.
    mutating func follow(at now: Double) {
        let isAbsent = setup.outage?.contains(now) ?? false
        if !isAbsent, circumstances.away != nil { circumstances.away = nil }
        for instance in cells.indices {
            guard var cell = cells[instance] else { continue }
            if var flight = flights[instance] {
                if flight.answer == nil, now >= flight.rowAt, !isAbsent {
                    var row = row ?? LimitRow(at: now)
                    flight.answer = row.settle(flight.question, at: now)
                    self.row = row
                }
                if let answer = flight.answer, now >= flight.answerAt {
                    cell.answer(answer, at: now, in: circumstances)
                    flights[instance] = nil
                } else if now >= flight.rowAt + 1 {
                    cell.fail(.withoutEffect)
                    circumstances.away = .share
                    flights[instance] = nil
                } else {
                    flights[instance] = flight
                }
            }
            cell.refresh(at: now, in: circumstances)
            if now >= cell.asksAt(in: circumstances) {
                let question = cell.question(at: now, in: circumstances)
                flights[instance] = Flight(question: question, rowAt: now + 0.002, answerAt: now + 0.004)
                result.questions += 1
            }
            cells[instance] = cell.isForgettable(at: now, in: circumstances) ? nil : cell
        }
    }

    /// Returns the number of requests of each instance in a step.
    private mutating func arrivals(at now: Double) -> [Int] {
        let count = setup.instances
        if setup.traffic == .spray {
            let isNow = abs(now.truncatingRemainder(dividingBy: 5) - 2.5) < setup.step / 2
            return Array(repeating: isNow ? Int(setup.burst) : 0, count: count)
        }
        let total = setup.rate * setup.load * setup.step
        let one = Int(now / 2) * 5 % count
        return (0..<count).map { instance in
            let share: Double
            switch setup.traffic {
            case .even, .spray: share = 1 / Double(count)
            case .uneven: share = zipf[instance]
            case .shifting: share = instance == one ? 1 : 0
            case .bursty:
                let chance = Double.random(in: 0..<1, using: &random)
                isOn[instance] = isOn[instance] ? chance > setup.step / 0.1 : chance < setup.step / 0.9
                share = isOn[instance] ? 10 / Double(count) : 0
            }
            return poisson(total * share)
        }
    }

    private mutating func poisson(_ mean: Double) -> Int {
        guard mean > 0 else { return 0 }
        let limit = exp(-mean)
        var (product, count) = (Double.random(in: 0..<1, using: &random), 0)
        while product > limit {
            product *= Double.random(in: 0..<1, using: &random)
            count += 1
        }
        return count
    }
}

/// A bucket that all instances would share if communication took no time.
struct PerfectBucket {
    let rate: Double
    let burst: Double
    private(set) var units: Double
    private var at = 0.0

    init(rate: Double, burst: Double) {
        self.rate = rate
        self.burst = burst
        units = burst
    }

    mutating func take(_ cost: Double = 1, at now: Double) -> Bool {
        spend(0, at: now)
        guard units + 1e-6 >= cost else { return false }
        units -= cost
        return true
    }

    /// Takes units even if there are fewer.
    mutating func spend(_ cost: Double, at now: Double) {
        units = min(burst, units + rate * (now - at)) - cost
        at = now
    }
}

extension LimitTerms {
    /// - Parameter rate: units per second.
    static func rate(_ rate: Double, burst: Double) -> LimitTerms {
        // A million seconds keep the fraction of small rates.
        let definition = LimitDefinition(
            kindCode: 0, limit: Int64((rate * 1e6).rounded()), burst: Int64(burst), period: 1_000_000_000_000)
        guard let terms = LimitTerms(definition) else { preconditionFailure("a rate has terms") }
        return terms
    }

    static func quota(_ limit: Int64, _ period: CalendarPeriod) -> LimitTerms {
        let definition = LimitDefinition(kindCode: 1, limit: limit, burst: limit, period: Int64(period.rawValue))
        guard let terms = LimitTerms(definition) else { preconditionFailure("a quota has terms") }
        return terms
    }
}
