import Testing

@testable import KeywardServer

@Suite("Text table")
struct TextTableTests {
    private static let table = TextTable(
        columns: [
            .init(title: "ID"), .init(title: "NAME", cutWidth: 12), .init(title: "OWNER", dropRank: 1, cutWidth: 8),
            .init(title: "CREATED", dropRank: 2),
        ],
        rows: [
            ["0190163d", "a name of thirty characters ..", "an owner", "2030-01-31T12:00:00Z"],
            ["0190163e", "b", "-", "2030-01-31T12:00:00Z"],
        ])

    @Test("a table that fits, or that has no width limit, shows all cells in full")
    func whole() {
        for width in [nil, 74, 500] {
            let (lines, leftOut) = Self.table.lines(width: width)
            #expect(leftOut.isEmpty)
            #expect(lines[0] == "ID        NAME                            OWNER     CREATED")
            #expect(lines[1] == "0190163d  a name of thirty characters ..  an owner  2030-01-31T12:00:00Z")
            #expect(lines[2] == "0190163e  b                               -         2030-01-31T12:00:00Z")
        }
    }

    @Test("cells are cut first, then the columns of the highest rank are omitted")
    func narrow() {
        let cut = Self.table.lines(width: 60)
        #expect(cut.leftOut.isEmpty && cut.lines[1] == "0190163d  a name of thirty …  an owner  2030-01-31T12:00:00Z")
        let dropped = Self.table.lines(width: 50)
        #expect(dropped.leftOut == ["CREATED"])
        #expect(dropped.lines[1] == "0190163d  a name of thirty characters ..  an owner")
        let narrowest = Self.table.lines(width: 10)
        #expect(narrowest.leftOut == ["OWNER", "CREATED"] && narrowest.lines[1] == "0190163d  a name of t…")
    }

    @Test("no line is wider than the terminal if the columns without a rank fit", arguments: 22...80)
    func bounded(_ width: Int) {
        for line in Self.table.lines(width: width).lines { #expect(DisplayWidth.of(line) <= width) }
    }

    @Test("columns are aligned by display width, not by the number of characters")
    func displayWidth() {
        #expect(DisplayWidth.of("日本語") == 6)
        #expect(DisplayWidth.of("e\u{301}") == 1)
        #expect(DisplayWidth.of("한국") == 4)
        #expect(DisplayWidth.of("🔑") == 2)
        let lines = TextTable.aligned([["日本", "x"], ["e\u{301}", "x"], ["abcd", "x"]])
        #expect(lines == ["日本  x", "e\u{301}     x", "abcd  x"])
        #expect(DisplayWidth.cut("日本語日本語", to: 6) == "日本…")
        #expect(DisplayWidth.cut("abcdef", to: 6) == "abcdef")
    }

    @Test("times have no fractions of a second")
    func moments() {
        #expect(TextTable.moment("2030-01-31T12:00:00.123456Z") == "2030-01-31T12:00:00Z")
        #expect(TextTable.moment("2030-01-31T12:00:00Z") == "2030-01-31T12:00:00Z")
    }

    @Test("untrusted text cannot control a terminal")
    func printable() {
        #expect(TextTable.printable("a\u{1B}[2Jb\u{202E}c\u{2028}d\u{9B}e") == "a [2Jb c d e")
    }
}
