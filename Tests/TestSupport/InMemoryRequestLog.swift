public import AuthKeys
import HTTPCredentials
public import KeyAdministration
import RequestLog
import Synchronization

/// A request log in memory: the model that searches in PostgreSQL are compared with.
public final class InMemoryRequestLog: RequestLogReader {
    private struct State {
        var lines: [LoggedRequest] = []
        var isDown = false
        var isHeld = false
        var waiting = 0
        var page: SearchPage?
    }

    private let state = Mutex(State())

    public init(_ lines: [LoggedRequest] = []) {
        add(lines)
    }

    public func add(_ lines: [LoggedRequest]) {
        state.withLock { $0.lines += lines }
    }

    /// Makes all calls fail, as while the database is unavailable.
    public func setDown(_ isDown: Bool) {
        state.withLock { $0.isDown = isDown }
    }

    /// Makes all calls wait until they are released.
    public func setHeld(_ isHeld: Bool) {
        state.withLock { $0.isHeld = isHeld }
    }

    /// Sets the result of all searches; nil for the lines that match.
    public func setPage(_ page: SearchPage?) {
        state.withLock { $0.page = page }
    }

    /// The number of calls that wait.
    public var waiting: Int { state.withLock { $0.waiting } }

    public func search(
        _ query: RequestQuery, in scope: OwnerScope, budget: Duration
    ) async throws(StoreError) -> SearchPage {
        if let page = state.withLock({ $0.page }) { return page }
        let found = try await matching(query, in: scope)
        let lines = Array(found.prefix(query.limit))
        return SearchPage(
            lines: lines, next: found.count > query.limit ? lines.last.map { RequestCursor(after: $0) } : nil)
    }

    public func positions(
        _ query: RequestQuery, in scope: OwnerScope, since start: Timestamp, limit: Int, budget: Duration
    ) async throws(StoreError) -> [RequestCursor] {
        var query = query
        query.since = start
        return try await matching(query, in: scope).prefix(limit).map { RequestCursor(after: $0) }
    }

    public func lines(
        at positions: [RequestCursor], in scope: OwnerScope, budget: Duration
    ) async throws(StoreError) -> [LoggedRequest] {
        let wanted = Set(positions)
        return try await matching(RequestQuery(), in: scope).filter { wanted.contains(RequestCursor(after: $0)) }
            .reversed()
    }

    /// Returns all lines that match, newest first.
    public func matching(_ query: RequestQuery, in scope: OwnerScope) async throws(StoreError) -> [LoggedRequest] {
        state.withLock { $0.waiting += 1 }
        while state.withLock({ $0.isHeld }), !Task.isCancelled { try? await Task.sleep(for: .milliseconds(2)) }
        state.withLock { $0.waiting -= 1 }
        let lines = state.withLock { $0.isDown ? nil : $0.lines }
        guard let lines else { throw StoreError(.unavailable, detail: "the fake is down") }
        return lines.filter { Self.matches($0, query) && scope.contains($0.owner) }
            .sorted { ($1.at, $1.id) < ($0.at, $0.id) }
    }

    private static func matches(_ line: LoggedRequest, _ query: RequestQuery) -> Bool {
        func holds<Value>(_ wanted: Value?, _ condition: (Value) -> Bool) -> Bool { wanted.map(condition) ?? true }
        return holds(query.after) { (line.at, line.id) < ($0.at, $0.id) }
            && holds(query.since) { line.at >= $0 } && holds(query.until) { line.at < $0 }
            && holds(query.keyID) { line.keyID == $0 } && holds(query.owner) { $0.matches(line.owner) }
            && holds(query.requestID) { line.id == $0 } && holds(query.status) { $0.contains(line.status) }
            && holds(query.outcome) { line.outcome == $0 } && holds(query.surface) { line.surface == $0 }
            && holds(query.code) { line.code == $0 } && holds(query.method) { line.method == $0 }
            && holds(query.pathPrefix) { line.path.utf8.starts(with: $0.utf8) }
            && holds(query.address) { network in
                line.address.flatMap { IPAddress($0) }.map { network.contains($0) } ?? false
            }
            && holds(query.minimumMilliseconds) { line.microseconds >= $0 * 1_000 }
            && holds(query.instance) { line.instance == $0 }
    }
}
