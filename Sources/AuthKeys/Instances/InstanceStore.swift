/// The database as instances register in it.
public protocol InstanceStore: Sendable {
    /// Records that an instance runs now, and returns the number of live instances, this one included.
    func record(_ heartbeat: Heartbeat) async throws(StoreError) -> Int

    /// Removes an instance that shuts down.
    func remove(_ id: KeyID) async throws(StoreError)

    /// Removes the instances that have not been seen for minutes.
    func removeOld() async throws(StoreError)

    /// Returns the instances, live ones first, then by name. At most `InstanceRecord.listLimit`.
    func instances() async throws(StoreError) -> [InstanceRecord]
}

extension InstanceRecord {
    /// The maximum number of instances in a list.
    public static let listLimit = 1_000
}
