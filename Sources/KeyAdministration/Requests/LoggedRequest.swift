public import AuthKeys
public import HTTPCredentials
public import RequestLog

/// A line of the request log, as a search returns it.
public struct LoggedRequest: Sendable, Equatable {
    public let at: Timestamp
    public let id: RequestID
    public var keyID: KeyID?
    /// The current name of the key; nil if the key was deleted, or if the admin does not see it.
    public var keyName: String?
    /// The owner of the key at the time of the request.
    public var owner: String?
    public var method: String
    public var path: String
    public var query: String?
    public var status: Int16
    public var code: String?
    /// Nil for an outcome of a later version.
    public var outcome: RequestOutcome?
    /// Nil for an entry point of a later version.
    public var surface: RequestSurface?
    public var microseconds: Int64 = 0
    public var upstreamMicroseconds: Int64?
    public var bytesIn: Int64 = 0
    public var bytesOut: Int64 = 0
    public var address: String?
    public var agent: String?
    public var upstream: String?
    public var instance: String?
    public var flags: RequestFlags = []
    public var weight: Int32 = 1

    public init(
        at: Timestamp, id: RequestID, method: String, path: String, status: Int16, outcome: RequestOutcome?,
        surface: RequestSurface?
    ) {
        self.at = at
        self.id = id
        self.method = method
        self.path = path
        self.status = status
        self.outcome = outcome
        self.surface = surface
    }
}

/// A page of a search.
public struct SearchPage: Sendable, Equatable {
    public var lines: [LoggedRequest]
    /// The position of the next page; nil after the last page.
    public var next: RequestCursor?
    /// The time down to which the log was searched, if the search ended before the page was full and before the log
    /// was searched completely.
    public var searchedTo: Timestamp?

    public init(lines: [LoggedRequest], next: RequestCursor? = nil, searchedTo: Timestamp? = nil) {
        self.lines = lines
        self.next = next
        self.searchedTo = searchedTo
    }
}
