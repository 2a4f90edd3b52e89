import Testing

@testable import AuthKeys

@Suite("Report pace")
struct ReportPaceTests {
    private let one = KeyID(high: 0, low: 1)
    private let two = KeyID(high: 0, low: 2)

    @Test("each key and rule has a line at once, then one a minute with the count")
    func pace() {
        var pace = ReportPace()
        #expect(pace.note(.scopes, of: one, now: .zero) == .key(reports: 1))
        for second in 1..<60 { #expect(pace.note(.scopes, of: one, now: .seconds(second)) == nil) }
        #expect(pace.note(.scopes, of: two, now: .seconds(1)) == .key(reports: 1))
        #expect(pace.note(.allowedPaths, of: one, now: .seconds(1)) == .key(reports: 1))
        #expect(pace.note(.scopes, of: one, now: .seconds(60)) == .key(reports: 60))
        #expect(pace.note(.scopes, of: one, now: .seconds(119)) == nil)
        #expect(pace.note(.scopes, of: one, now: .seconds(3_600)) == .key(reports: 2))
    }

    @Test("keys beyond the limit share one line a minute until there is room")
    func bounded() {
        var pace = ReportPace(limit: 2)
        #expect(pace.note(.scopes, of: one, now: .zero) == .key(reports: 1))
        #expect(pace.note(.allowedPaths, of: one, now: .zero) == .key(reports: 1))
        #expect(pace.note(.scopes, of: two, now: .seconds(1)) == .others(reports: 1))
        #expect(pace.note(.allowedPaths, of: two, now: .seconds(2)) == nil)
        #expect(pace.note(.scopes, of: one, now: .seconds(2)) == nil)
        #expect(pace.note(.scopes, of: two, now: .seconds(60)) == .key(reports: 1))
        #expect(pace.note(.scopes, of: one, now: .seconds(60)) == .key(reports: 1))
        #expect(pace.note(.allowedPaths, of: two, now: .seconds(61)) == .others(reports: 2))
    }
}
