public import AuthKeys

/// A reader of the request log.
///
/// Each call sees the lines of some owners only; a scope that is limited to an owner excludes lines without an owner.
public protocol RequestLogReader: Sendable {
    /// Returns a page of lines, newest first. If the budget ends before the page is full, the page has the lines that
    /// were found, and a position to go on. Throws if the budget ends before any part of the log was searched.
    func search(
        _ query: RequestQuery, in scope: OwnerScope, budget: Duration
    ) async throws(StoreError) -> SearchPage

    /// Returns the positions of the newest lines that match the filter of a query and begin at `start` or later, newest
    /// first.
    func positions(
        _ query: RequestQuery, in scope: OwnerScope, since start: Timestamp, limit: Int, budget: Duration
    ) async throws(StoreError) -> [RequestCursor]

    /// Returns the lines at these positions, in ascending order.
    func lines(
        at positions: [RequestCursor], in scope: OwnerScope, budget: Duration
    ) async throws(StoreError) -> [LoggedRequest]
}
