import AuthKeys
import KeyAdministration

/// The way of a search through the log, from newer lines to older ones, in windows of time.
///
/// Without an index that has the matching lines in order, one statement could read the whole log before it finds a
/// line. So each statement reads a window, four times as long as the one before, up to a limit. The search can stop
/// after each of them.
struct SearchWalk {
    private static let growth = 4
    private static let shortest = Duration.seconds(1)

    private var length: Duration
    private let longest: Duration
    private let now: Timestamp
    /// The end of the next window; nil for a first window without an end.
    private(set) var end: Timestamp?

    /// Returns nil if one statement finds a page without reading more lines than the page has: those of a key, or of
    /// no filter.
    /// - Parameter end: the time before which the search begins; nil for the newest line.
    init?(_ query: RequestQuery, end: Timestamp?, now: Timestamp) {
        var rest = query.filter
        rest.keyID = nil
        if rest == RequestQuery(limit: 0) { return nil }
        if query.keyID != nil || query.status?.isError == true {
            // An index has the lines of the key, or those with an error status.
            (length, longest) = (.seconds(3_600), .seconds(32 * 86_400))
        } else {
            (length, longest) = (.seconds(60), .seconds(86_400))
        }
        self.now = now
        self.end = end
    }

    /// The start of the next window.
    var start: Timestamp { (end ?? now).advanced(by: .zero - length) }

    var isShortest: Bool { length <= Self.shortest }

    /// Continues with the window before this one.
    mutating func advance() {
        end = start
        length = min(length * Self.growth, longest)
    }

    /// Continues with the shortest window at the same end.
    mutating func shrink() {
        length = Self.shortest
    }
}
