/// Waits until a condition holds, polling every few milliseconds. Returns false if it does not hold in time.
public func eventually(
    within limit: Duration = .seconds(120), _ condition: () async throws -> Bool
) async rethrows -> Bool {
    let deadline = ContinuousClock.now + limit
    while true {
        if try await condition() { return true }
        if ContinuousClock.now >= deadline { return false }
        // A cancelled task does not sleep.
        guard (try? await Task.sleep(for: .milliseconds(2))) != nil else { return false }
    }
}

/// Waits until a condition holds. Throws if it does not hold in time.
package func eventually(
    _ what: String, within limit: Duration = .seconds(120), _ condition: () async throws -> Bool
) async throws {
    guard try await eventually(within: limit, condition) else {
        throw TestSupportError("timed out waiting for \(what)")
    }
}
