import Testing

@testable import AuthKeys

@Suite("Timestamps")
struct TimestampTests {
    @Test(
        "an RFC 3339 text round-trips",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2000-02-29T23:59:59Z", 951_868_799_000_000),
            ("1969-12-31T23:59:59.999999Z", -1), ("2026-11-24T07:30:16.5Z", 1_795_505_416_500_000),
            ("0001-01-01T00:00:00Z", -62_135_596_800_000_000), ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
        ] as [(String, Int64)])
    func roundTrip(text: String, microseconds: Int64) throws {
        #expect(try Timestamp(rfc3339: text).microseconds == microseconds)
        #expect(Timestamp(microseconds: microseconds).description == text)
    }

    @Test("offsets, lower case and long fractions are accepted")
    func variants() throws {
        let noon = try Timestamp(rfc3339: "2030-01-31T12:00:00Z")
        for text in [
            "2030-01-31T14:00:00+02:00", "2030-01-31T06:30:00-05:30", "2030-01-31t12:00:00z", "2030-01-31 12:00:00Z",
            "2030-01-31T12:00:00.000000000Z", "2030-01-31T12:00:00.0000009Z", "2030-01-31T11:59:60Z",
        ] {
            #expect(try Timestamp(rfc3339: text) == noon, "\(text)")
        }
    }

    @Test(
        "a text that is not RFC 3339 is refused",
        arguments: [
            "", "2030-01-31", "2030-01-31T12:00:00", "2030-01-31T12:00Z", "10000-01-01T00:00:00Z",
            "2030-1-31T12:00:00Z",
            "2030-01-31T12:00:00+0200", "2030-01-31T12:00:00.Z", "2030-01-31T12:00:00.0000000000Z",
            "2030-01-31T12:00:00Z ", "1893456000", "tomorrow", "2030-01-31T12:00:00é", "+030-01-31T12:00:00Z",
        ])
    func syntax(text: String) {
        #expect(throws: Timestamp.ParseFailure.syntax) { try Timestamp(rfc3339: text) }
    }

    @Test(
        "a moment that does not exist is refused",
        arguments: [
            "2030-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2030-13-01T00:00:00Z", "2030-00-01T00:00:00Z",
            "2030-04-31T00:00:00Z", "2030-01-00T00:00:00Z", "2030-01-01T24:00:00Z", "2030-01-01T00:60:00Z",
            "2030-01-01T00:00:61Z", "0000-01-01T00:00:00Z", "2030-01-01T00:00:00+24:00", "9999-12-31T23:59:59-01:00",
        ])
    func existence(text: String) {
        #expect(throws: Timestamp.ParseFailure.noSuchMoment) { try Timestamp(rfc3339: text) }
    }

    @Test("every day of four centuries round-trips")
    func days() throws {
        for day in stride(from: -60_000, through: 90_000, by: 1) {
            let moment = Timestamp(microseconds: Int64(day) * 86_400_000_000)
            #expect(try Timestamp(rfc3339: moment.description) == moment)
        }
    }

    @Test("a moment beyond the calendar is shown as the nearest within it")
    func beyond() {
        #expect(Timestamp(microseconds: .max).description == "9999-12-31T23:59:59.999999Z")
        #expect(Timestamp(microseconds: .min).description == "0001-01-01T00:00:00Z")
        #expect(Timestamp(microseconds: .max).advanced(by: .seconds(Int64.max)) == .maximum)
    }
}
