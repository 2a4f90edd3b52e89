/// The database as usage is written to it.
public protocol UsageStore: Sendable {
    /// Adds counts to the stored usage. There is one count per secret and day, ordered by key, day and digest. Counts
    /// of deleted keys are ignored.
    func record(_ usage: [UsageCount]) async throws(StoreError)
}
