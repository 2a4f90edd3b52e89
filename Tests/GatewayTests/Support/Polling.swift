import Testing

/// An error thrown when a condition did not hold in time.
struct TimedOut: Error, CustomStringConvertible {
    let description: String
}

/// Waits until a condition holds, polling often, with a generous timeout.
func eventually(
    _ what: String, within limit: Duration = .seconds(20), _ condition: () throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while try !condition() {
        guard ContinuousClock.now < end else { throw TimedOut(description: "timed out waiting for \(what)") }
        try await Task.sleep(for: .milliseconds(3))
    }
}

/// Waits until a condition holds, and calls `work` after each failed check.
func eventually(
    _ what: String, within limit: Duration = .seconds(20), _ condition: () throws -> Bool,
    meanwhile work: () async throws -> Void
) async throws {
    let end = ContinuousClock.now + limit
    while try !condition() {
        guard ContinuousClock.now < end else { throw TimedOut(description: "timed out waiting for \(what)") }
        try await work()
        try await Task.sleep(for: .milliseconds(3))
    }
}

/// Waits until a value has not changed for a while, and returns it.
func settled(_ what: String, within limit: Duration = .seconds(30), _ value: () -> Int) async throws -> Int {
    let end = ContinuousClock.now + limit
    var last = value()
    var since = ContinuousClock.now
    while ContinuousClock.now - since < .milliseconds(700) {
        guard ContinuousClock.now < end else { throw TimedOut(description: "never settled: \(what)") }
        try await Task.sleep(for: .milliseconds(10))
        let now = value()
        if now != last { (last, since) = (now, ContinuousClock.now) }
    }
    return last
}
