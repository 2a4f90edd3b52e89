import AuthKeys
import Testing

@Suite("Owner paths") struct OwnerPathTests {
    @Test(
        "an owner contains itself and all below it",
        arguments: [
            ("acme", "acme", true), ("acme", "acme/a", true), ("acme", "acme/a/b", true), ("acme/a", "acme", false),
            ("acme", "acme2", false), ("acme", "acme-a", false), ("acme", "ACME", false), ("acme", "acm", false),
            ("acme", "", false), ("caf\u{e9}", "cafe\u{301}", false), ("caf\u{e9}", "caf\u{e9}/x", true),
            ("K", "\u{212A}", false),
        ] as [(String, String, Bool)])
    func contains(owner: String, other: String, isContained: Bool) {
        #expect(OwnerPath.contains(owner, other) == isContained)
        #expect(OwnerScope(owner: owner).contains(other) == isContained)
        #expect(OwnerFilter(owner, includesBelow: true).matches(other) == isContained)
    }

    @Test("a filter is read from its text, and written as it was read")
    func text() throws {
        let below = try #require(OwnerFilter(text: "acme/**"))
        #expect(below == OwnerFilter("acme", includesBelow: true) && below.text == "acme/**")
        for text in ["acme", "acme/*", "acme**", "**", "a/**/b"] {
            #expect(OwnerFilter(text: text) == OwnerFilter(text))
        }
        #expect(OwnerFilter(text: "/**") == nil)
    }

    @Test("no owner is in all owners only") func none() {
        #expect(OwnerScope.all.contains(nil))
        #expect(!OwnerScope(owner: "acme").contains(nil))
        #expect(!OwnerFilter("acme", includesBelow: true).matches(nil))
    }

    @Test(
        "a scope limits a filter",
        arguments: [
            (nil, OwnerFilter("acme/a", includesBelow: true)), ("acme/**", OwnerFilter("acme/a", includesBelow: true)),
            ("acme/a/b", OwnerFilter("acme/a/b")), ("acme/a/b/**", OwnerFilter("acme/a/b", includesBelow: true)),
            ("acme/a", OwnerFilter("acme/a")), ("acme", nil), ("acme/b/**", nil), ("acme/a2/**", nil),
        ] as [(String?, OwnerFilter?)])
    func limit(text: String?, expected: OwnerFilter?) {
        var filter = text.flatMap { OwnerFilter(text: $0) }
        #expect(OwnerScope(owner: "acme/a").limit(&filter) == (expected != nil))
        if let expected { #expect(filter == expected) }
    }
}
