/// Asks again and again, for what the system tells nobody: files that appear, processes that are not our children.
enum Poll {
    /// The first answer of `question`; `nil` when the time is up or the calling task is cancelled.
    static func until<Answer>(
        _ limit: Duration?,
        every pause: Duration = .milliseconds(20),
        _ question: () -> Answer?
    ) async -> Answer? {
        let deadline = limit.map { ContinuousClock.now + $0 }
        while true {
            if let answer = question() { return answer }
            if let deadline, ContinuousClock.now >= deadline { return nil }
            do { try await Task.sleep(for: pause) } catch { return nil }
        }
    }
}
