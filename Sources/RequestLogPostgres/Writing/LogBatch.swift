import AuthKeys
import HTTPCredentials
import LibPQ
import RequestLog

/// The lines of one transaction.
struct LogBatch: Sendable {
    /// The columns by which a writer recognizes a line.
    struct LineKey: Sendable, Hashable {
        let at: Timestamp
        let id: RequestID

        init(at: Timestamp, id: RequestID) {
            self.at = at
            self.id = id
        }

        init(_ line: RequestLine) {
            self.init(at: line.at, id: line.id)
        }
    }

    private(set) var pages: [RequestPage]
    /// The number of requests whose lines were lost before this batch. They get a line of their own.
    let lost: Int
    private let gap: LineKey
    /// The days that the log has partitions for; nil for all days.
    private(set) var days: LogDays?

    init(pages: [RequestPage], lost: Int, at now: Timestamp = .now) {
        self.pages = pages
        self.lost = lost
        var ids = RequestIDSource()
        gap = LineKey(at: now, id: ids.next(at: now))
    }

    /// The time of the first line.
    var began: Timestamp? { pages.first?.began }

    /// True if the batch has no lines, of any day.
    var isEmpty: Bool { lost == 0 && pages.allSatisfy(\.isEmpty) }

    /// Calls `body` with each line.
    func withLines(_ body: (RequestLine) throws -> Void) rethrows {
        for page in pages {
            try page.forEachLine { line in if days?.contains(line.at) ?? true { try body(line) } }
        }
        guard days?.contains(gap.at) ?? true else { return }
        // The weight of a line is limited.
        var left = lost
        while left > 0 {
            var line = RequestLine(
                at: gap.at, id: gap.id, surface: .gateway, outcome: .failed, status: 0, code: RequestLine.gapCode)
            line.weight = UInt32(min(left, Int(Int32.max)))
            left -= Int(line.weight)
            try body(line)
        }
    }

    /// The number of lines of requests, and of the requests that they stand for.
    var requestLines: (lines: Int, requests: Int) { Self.count(pages) { days?.contains($0.at) ?? true } }

    /// Returns the number of lines that a condition holds for, and of the requests that they stand for.
    static func count(
        _ pages: [RequestPage], where isCounted: (RequestLine) -> Bool = { _ in true }
    ) -> (lines: Int, requests: Int) {
        var (lines, requests) = (0, 0)
        for page in pages {
            page.forEachLine { line in
                guard isCounted(line) else { return }
                lines += 1
                requests += Int(line.weight)
            }
        }
        return (lines, requests)
    }

    /// Removes the pages that began before a time, and returns them.
    mutating func removePages(before time: Timestamp) -> [RequestPage] {
        let old = pages.filter { $0.began.map { $0 < time } ?? false }
        if !old.isEmpty { pages.removeAll { $0.began.map { $0 < time } ?? false } }
        return old
    }

    /// Omits the lines of other days. Returns their number, and the number of requests that they stand for.
    mutating func keep(only days: LogDays) -> (lines: Int, requests: Int) {
        var omitted = Self.count(pages) { !days.contains($0.at) && self.days?.contains($0.at) ?? true }
        // The next batch gets the line of the gap.
        if !days.contains(gap.at), self.days?.contains(gap.at) ?? true { omitted.requests += lost }
        self.days = days
        return omitted
    }
}
