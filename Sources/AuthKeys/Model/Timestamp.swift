import Glibc
// Optimised builds find `timespec` in this module as soon as another file extends Duration.
import SwiftOverlayShims

/// A moment in UTC, in microseconds since 1970-01-01, the resolution of PostgreSQL's `timestamptz`.
public struct Timestamp: Hashable, Comparable, Sendable {
    /// Microseconds since the Unix epoch.
    public let microseconds: Int64

    public init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    /// The current time of the system's real-time clock.
    public static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) &* 1_000_000 &+ Int64(time.tv_nsec) / 1_000)
    }

    /// The first moment that the API accepts or shows: year 0001 (RFC 3339 has four-digit years).
    public static let minimum = Timestamp(microseconds: -62_135_596_800_000_000)
    /// The last moment that the API accepts or shows: the end of the year 9999.
    public static let maximum = Timestamp(microseconds: 253_402_300_799_999_999)

    /// True if a four-digit year can express the moment.
    public var isRepresentable: Bool { self >= .minimum && self <= .maximum }

    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.microseconds < right.microseconds }

    /// Returns a later moment, limited to the end of the range.
    public func advanced(by duration: Duration) -> Timestamp {
        let (seconds, attoseconds) = duration.components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        let (sum, sumOverflow) = microseconds.addingReportingOverflow(product)
        let (total, totalOverflow) = sum.addingReportingOverflow(attoseconds / 1_000_000_000_000)
        guard !overflow, !sumOverflow, !totalOverflow else { return seconds < 0 ? .minimum : .maximum }
        return Timestamp(microseconds: total)
    }
}
