/// Waits until a condition holds, polling every few milliseconds. Returns false if it does not hold in time.
public func eventually(
    within limit: Duration = .seconds(10), _ condition: () async throws -> Bool
) async rethrows -> Bool {
    let deadline = ContinuousClock.now + limit
    while true {
        if try await condition() { return true }
        if ContinuousClock.now >= deadline { return false }
        // A cancelled task does not sleep.
        guard (try? await Task.sleep(for: .milliseconds(2))) != nil else { return false }
    }
}
