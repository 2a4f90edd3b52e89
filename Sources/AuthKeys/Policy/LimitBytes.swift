/// Limits as bytes, which the index stores and verification reads in place.
///
/// The bytes begin with the number of limits. For each limit follow: the part of its identifier that kind and name give
/// (16 bytes), its kind, flags, `limit`, `burst`, the period in microseconds or the number of the calendar period (8
/// bytes each), the length of the name and the number of patterns (a byte each), the name, and the patterns: the length
/// of the method (a byte, 0 for any), the length of the path (two bytes), both texts. Numbers are little-endian.
package enum LimitBytes {
    private static let fixedSize = 16 + 1 + 1 + 8 + 8 + 8 + 1 + 1

    /// - Parameters:
    ///   - areCallers: true for limits that a caller defines.
    ///   - isReportOnly: returns true for the name of a limit that only reports.
    package static func append(
        _ limits: [LimitRule], areCallers: Bool = false, to bytes: inout [UInt8], isReportOnly: (String) -> Bool
    ) {
        bytes.append(UInt8(clamping: limits.count))
        for limit in limits {
            let id = areCallers ? LimitID(ofDefinedByCaller: limit) : LimitID(of: limit.kind, named: limit.name)
            withUnsafeBytes(of: id.high.littleEndian) { bytes += $0 }
            withUnsafeBytes(of: id.low.littleEndian) { bytes += $0 }
            bytes.append(limit.kind.code)
            bytes.append((limit.isAsked ? 1 : 0) | (isReportOnly(limit.name) ? 2 : 0))
            let (burst, period): (Int64, Int64) =
                switch limit.kind {
                case .rate(let period, let burst): (burst, period.microseconds)
                case .quota(let period): (limit.limit, Int64(period.rawValue))
                case .concurrent: (limit.limit, 0)
                }
            for number in [limit.limit, burst, period] {
                withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
            }
            bytes.append(UInt8(clamping: limit.name.utf8.count))
            bytes.append(UInt8(clamping: limit.match.count))
            bytes += Array(limit.name.utf8)
            for pattern in limit.match {
                bytes.append(UInt8(clamping: pattern.method?.count ?? 0))
                withUnsafeBytes(of: UInt16(clamping: pattern.path.count).littleEndian) { bytes += $0 }
                bytes += pattern.method ?? []
                bytes += pattern.path
            }
        }
    }

    /// Calls `body` with each limit. Returns the number of bytes read.
    @inline(__always)
    @discardableResult
    static func forEach(in bytes: UnsafeRawBufferPointer, _ body: (LimitView) -> Void) -> Int {
        guard let count = bytes.first else { return 0 }
        var start = 1
        for _ in 0..<count {
            let view = LimitView(UnsafeRawBufferPointer(rebasing: bytes[start...]))
            body(view)
            start += view.size
        }
        return start
    }
}

/// A limit in place, in the memory of the index.
struct LimitView {
    private let bytes: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    private func word(_ offset: Int) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// The part of the identifier that kind and name give.
    var id: LimitID { LimitID(high: word(0), low: word(8)) }
    /// The limit's numbers, which tell its present definition from an earlier one.
    var definition: LimitDefinition {
        LimitDefinition(
            kindCode: bytes[16], limit: Int64(bitPattern: word(18)), burst: Int64(bitPattern: word(26)),
            period: Int64(bitPattern: word(34)))
    }
    var isAsked: Bool { bytes[17] & 1 != 0 }
    var isReportOnly: Bool { bytes[17] & 2 != 0 }
    var name: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[44..<44 + Int(bytes[42])]) }

    /// True if the limit applies only to some requests.
    var hasPatterns: Bool { bytes[43] != 0 }

    /// The number of bytes of this limit.
    var size: Int {
        var end = 44 + Int(bytes[42])
        for _ in 0..<bytes[43] { end += 3 + Int(bytes[end]) + pathLength(at: end) }
        return end
    }

    /// Returns true if the limit applies to a request by its method and path. An unknown method or path matches every
    /// pattern, so that a caller that omits it does not avoid a limit.
    /// - Parameters:
    ///   - method: empty if it is unknown.
    ///   - path: the unambiguous path; nil if the path is ambiguous or unknown.
    func matches(method: UnsafeRawBufferPointer, path: UnsafeRawBufferPointer?) -> Bool {
        if bytes[43] == 0 { return true }
        var start = 44 + Int(bytes[42])
        for _ in 0..<bytes[43] {
            let (methodEnd, pathLength) = (start + 3 + Int(bytes[start]), pathLength(at: start))
            let ruleMethod = UnsafeRawBufferPointer(rebasing: bytes[start + 3..<methodEnd])
            let rulePath = UnsafeRawBufferPointer(rebasing: bytes[methodEnd..<methodEnd + pathLength])
            let hasMethod = ruleMethod.isEmpty || method.isEmpty || MethodName.covers(ruleMethod, method)
            if hasMethod, path.map({ PathPattern.matches(rulePath, $0) }) ?? true { return true }
            start = methodEnd + pathLength
        }
        return false
    }

    private func pathLength(at start: Int) -> Int {
        Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: start + 1, as: UInt16.self)))
    }
}

/// The numbers of a limit, without its name.
struct LimitDefinition: Sendable, Equatable {
    /// `LimitRule.Kind.code`.
    let kindCode: UInt8
    let limit: Int64
    /// The maximum number of units at once. For a quota or a concurrency limit, the same as `limit`.
    let burst: Int64
    /// The period of a rate in microseconds, or the number of the calendar period; 0 for a concurrency limit.
    let period: Int64

    /// Units per second; nil unless the limit is a rate.
    var rate: Double? { kindCode == 0 ? Double(limit) / (Double(period) / 1_000_000) : nil }
    var calendarPeriod: CalendarPeriod? { kindCode == 1 ? CalendarPeriod(rawValue: UInt8(clamping: period)) : nil }
    var isConcurrency: Bool { kindCode == 2 }
}
