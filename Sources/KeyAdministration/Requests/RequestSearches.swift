import AuthKeys
import HTTPCredentials

/// The searches of the request log on one instance. Their number is bounded, so that they leave connections of the
/// database to other requests. One admin has at most half of the exports and tails, so that others can have some.
public final class RequestSearches: Sendable {
    /// The maximum number of searches that use the database at a time. Exports and tails have at most half of them.
    public static let searchLimit = 4
    /// The maximum number of exports at a time.
    public static let exportLimit = 2
    public static let tailLimit = 8
    /// The maximum number of statistics at a time. Each uses a connection for some seconds at most.
    public static let statisticsLimit = 2
    /// The longest time of a search.
    public static let budget = Duration.seconds(2)
    /// The number of lines that an export reads at a time.
    private static let exportPage = 1_000

    let log: any RequestLogReader
    private let trail: any AuditTrail
    private let budget: Duration
    let slots = SearchSlots(searchLimit)
    private let exports = SearchSlots(exportLimit)
    private let tails = SearchSlots(tailLimit)
    private let statistics = SearchSlots(statisticsLimit)

    public init(log: any RequestLogReader, trail: any AuditTrail, budget: Duration = RequestSearches.budget) {
        self.log = log
        self.trail = trail
        self.budget = budget
    }

    /// Returns a page of the lines that the admin may see.
    public func search(_ query: RequestQuery, for admin: Admin) async throws(AuthKeyError) -> SearchPage {
        let slot = try begin(.searches, in: slots)
        defer { withExtendedLifetime(slot) {} }
        return try await ask(await log.search(query, in: admin.owners, budget: budget))
    }

    /// Returns the line of a request.
    public func request(_ id: String, for admin: Admin) async throws(AuthKeyError) -> LoggedRequest {
        guard let requestID = RequestID(id) else { throw .notFound(id: id) }
        var query = RequestQuery(limit: 1)
        query.requestID = requestID
        guard let line = try await search(query, for: admin).lines.first else { throw .notFound(id: id) }
        return line
    }

    /// Begins an export, and records it in the audit trail. Reads the first page, so that a failure of the database is
    /// known before the first line is sent.
    public func export(_ query: RequestQuery, by call: AdminCall) async throws(AuthKeyError) -> RequestExport {
        let slot = try begin(.exports, in: exports, for: call.admin)
        var query = query
        query.limit = Self.exportPage
        let first = try await exportPage(query, for: call.admin)
        try await ask(await trail.record([NewAuditEvent(call, .requestExport, owner: call.admin.owner)]))
        return RequestExport(searches: self, slot: slot, query: query, admin: call.admin, first: first)
    }

    func exportPage(_ query: RequestQuery, for admin: Admin) async throws(AuthKeyError) -> SearchPage {
        guard let slot = await slots.next() else { throw Self.cancelled }
        defer { withExtendedLifetime(slot) {} }
        return try await ask(await log.search(query, in: admin.owners, budget: budget))
    }

    /// Begins to follow the log.
    /// - Parameter position: the last line that the caller received earlier; nil to begin with new lines.
    public func tail(
        _ query: RequestQuery, after position: RequestCursor?, for admin: Admin
    ) throws(AuthKeyError) -> RequestTail {
        let slot = try begin(.tails, in: tails, for: admin)
        return RequestTail(searches: self, slot: slot, query: query, scope: admin.owners, after: position)
    }

    /// Computes statistics unless too many are being computed.
    public func computeStatistics<Report>(_ compute: () async throws -> Report) async throws -> Report {
        let slot = try begin(.statistics, in: statistics)
        defer { withExtendedLifetime(slot) {} }
        return try await compute()
    }

    /// Returns a slot for an operation.
    /// - Parameter admin: the admin that has a share of the slots; nil if there are no shares.
    private func begin(
        _ operation: AuthKeyError.Concurrent, in slots: SearchSlots, for admin: Admin? = nil
    ) throws(AuthKeyError) -> SearchSlots.Slot {
        do {
            return try slots.take(for: admin.map { SearchSlots.Holder.admin($0.actor.text) })
        } catch {
            throw .tooMany(operation, share: error == .share ? slots.share : nil)
        }
    }

    static let cancelled = AuthKeyError.store(StoreError(.unavailable, detail: "the call was cancelled"))
}

/// All lines that match a query, page by page.
public struct RequestExport: Sendable {
    private let searches: RequestSearches
    private let slot: SearchSlots.Slot
    private var query: RequestQuery
    private let admin: Admin
    /// The lines that were read last.
    public private(set) var page: SearchPage

    init(searches: RequestSearches, slot: SearchSlots.Slot, query: RequestQuery, admin: Admin, first: SearchPage) {
        self.searches = searches
        self.slot = slot
        self.query = query
        self.admin = admin
        page = first
    }

    /// Reads the next page. Returns false after the last one.
    public mutating func advance() async throws(AuthKeyError) -> Bool {
        guard let next = page.next else { return false }
        query.after = next
        page = try await searches.exportPage(query, for: admin)
        return true
    }
}
