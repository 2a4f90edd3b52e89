import TestSupport

/// Waits until a value has not changed for a while, and returns it.
func settled(_ what: String, _ value: () -> Int) async throws -> Int {
    let end = ContinuousClock.now + .seconds(30)
    var last = value()
    var since = ContinuousClock.now
    while ContinuousClock.now - since < .milliseconds(700) {
        guard ContinuousClock.now < end else { throw TestSupportError("never settled: \(what)") }
        try await Task.sleep(for: .milliseconds(10))
        let now = value()
        if now != last { (last, since) = (now, ContinuousClock.now) }
    }
    return last
}
