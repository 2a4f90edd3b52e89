/// Polls for events of which the system sends no notification: new files, and exits of processes that are not children.
enum Poll {
    /// Returns the first answer of `question`; `nil` if the time is over or the calling task is cancelled.
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
