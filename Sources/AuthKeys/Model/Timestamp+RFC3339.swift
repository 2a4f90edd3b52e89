extension Timestamp: CustomStringConvertible {
    /// The reason why a text is not a timestamp.
    public enum ParseFailure: Error, Equatable, Sendable {
        /// Not `date "T" time zone` (RFC 3339 section 5.6); the zone is required.
        case syntax
        /// The format is valid, but the day, hour, minute, second or offset does not exist.
        case noSuchMoment
    }

    /// Parses an RFC 3339 `date-time` (section 5.6) with any offset. Of up to nine fractional digits, six count. A leap
    /// second is read as the second after it.
    public init(rfc3339 text: some StringProtocol) throws(ParseFailure) {
        var scanner = Scanner(Array(text.utf8))
        let year = try scanner.number(digits: 4)
        try scanner.expect("-")
        let month = try scanner.number(digits: 2)
        try scanner.expect("-")
        let day = try scanner.number(digits: 2)
        try scanner.expect("T", "t", " ")
        let hour = try scanner.number(digits: 2)
        try scanner.expect(":")
        let minute = try scanner.number(digits: 2)
        try scanner.expect(":")
        let second = try scanner.number(digits: 2)
        let fraction = try scanner.fraction()
        let offset = try scanner.zoneInMinutes()
        guard scanner.isAtEnd else { throw .syntax }
        guard year >= 1, (1...12).contains(month), (1...Self.days(in: month, of: year)).contains(day), hour <= 23,
            minute <= 59, second <= 60
        else { throw .noSuchMoment }
        let seconds =
            Self.daysSinceEpoch(year: year, month: month, day: day) * 86_400 + hour * 3_600 + (minute - offset) * 60
            + second
        self.init(microseconds: Int64(seconds) * 1_000_000 + Int64(fraction))
        guard isRepresentable else { throw .noSuchMoment }
    }

    /// The RFC 3339 form in UTC, with up to six fractional digits, without trailing zeros. A moment outside the
    /// four-digit years is shown as the nearest within them.
    public var description: String {
        let shown = min(max(self, .minimum), .maximum).microseconds
        let (seconds, fraction) = shown.quotientAndRemainder(floorDividingBy: 1_000_000)
        let (day, time) = seconds.quotientAndRemainder(floorDividingBy: 86_400)
        let date = Self.civil(fromDays: Int(day))
        var text: [UInt8] = []
        text.reserveCapacity(27)
        func append(_ value: Int, width: Int) {
            var divisor = 1
            for _ in 1..<width { divisor *= 10 }
            while divisor > 0 {
                text.append(0x30 + UInt8(value / divisor % 10))
                divisor /= 10
            }
        }
        append(date.year, width: 4)
        text.append(0x2D)
        append(date.month, width: 2)
        text.append(0x2D)
        append(date.day, width: 2)
        text.append(0x54)
        append(Int(time) / 3_600, width: 2)
        text.append(0x3A)
        append(Int(time) / 60 % 60, width: 2)
        text.append(0x3A)
        append(Int(time) % 60, width: 2)
        if fraction > 0 {
            text.append(0x2E)
            append(Int(fraction), width: 6)
            while text.last == 0x30 { text.removeLast() }
        }
        text.append(0x5A)
        return String(decoding: text, as: UTF8.self)
    }

    private static func days(in month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Returns the days since 1970-01-01 in the proleptic Gregorian calendar, by counting 400-year eras that begin in
    /// March.
    private static func daysSinceEpoch(year: Int, month: Int, day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(fromDays days: Int) -> (year: Int, month: Int, day: Int) {
        let (era, dayOfEra) = (days + 719_468).quotientAndRemainder(floorDividingBy: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private struct Scanner {
        let bytes: [UInt8]
        var position = 0

        init(_ bytes: [UInt8]) {
            self.bytes = bytes
        }

        var isAtEnd: Bool { position == bytes.count }
        var next: UInt8? { position < bytes.count ? bytes[position] : nil }

        mutating func expect(_ characters: Unicode.Scalar...) throws(ParseFailure) {
            guard let next, characters.contains(where: { $0.value == UInt32(next) }) else { throw .syntax }
            position += 1
        }

        mutating func digit() -> Int? {
            guard let next, (0x30...0x39).contains(next) else { return nil }
            position += 1
            return Int(next - 0x30)
        }

        mutating func number(digits: Int) throws(ParseFailure) -> Int {
            var value = 0
            for _ in 0..<digits {
                guard let digit = digit() else { throw .syntax }
                value = value * 10 + digit
            }
            return value
        }

        /// Returns the fraction in microseconds; zero if there is none.
        mutating func fraction() throws(ParseFailure) -> Int {
            guard next == 0x2E else { return 0 }
            position += 1
            var value = 0
            var count = 0
            while let digit = digit() {
                if count < 6 { value = value * 10 + digit }
                count += 1
            }
            guard (1...9).contains(count) else { throw .syntax }
            for _ in min(count, 6)..<6 { value *= 10 }
            return value
        }

        mutating func zoneInMinutes() throws(ParseFailure) -> Int {
            guard let sign = next else { throw .syntax }
            position += 1
            switch sign {
            case 0x5A, 0x7A: return 0
            case 0x2B, 0x2D: break
            default: throw .syntax
            }
            let hours = try number(digits: 2)
            try expect(":")
            let minutes = try number(digits: 2)
            guard hours <= 23, minutes <= 59 else { throw .noSuchMoment }
            return (sign == 0x2D ? -1 : 1) * (hours * 60 + minutes)
        }
    }
}

extension Timestamp {
    /// Whole seconds since the Unix epoch, rounded down.
    public var seconds: Int64 { microseconds.quotientAndRemainder(floorDividingBy: 1_000_000).quotient }

    /// Whole milliseconds since the Unix epoch, rounded down.
    public var milliseconds: Int64 { microseconds.quotientAndRemainder(floorDividingBy: 1_000).quotient }
}

extension BinaryInteger {
    /// Divides and rounds down, so that moments before 1970 belong to the correct day.
    fileprivate func quotientAndRemainder(floorDividingBy divisor: Self) -> (quotient: Self, remainder: Self) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
