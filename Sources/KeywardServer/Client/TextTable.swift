/// A table of text that adapts to the width of the terminal.
struct TextTable {
    struct Column {
        let title: String
        /// The rank for omission: if the columns do not fit, the one with the highest rank is omitted first. A column
        /// without a rank is never omitted.
        var dropRank: Int?
        /// The smallest width, in columns of the terminal, to which the text is cut; nil if it is never cut.
        var cutWidth: Int?
    }

    let columns: [Column]
    let rows: [[String]]

    /// Returns the lines, and the titles of the columns that do not fit.
    /// - Parameter width: the width of the terminal in columns; nil for no limit.
    func lines(width: Int?) -> (lines: [String], leftOut: [String]) {
        let cells = [columns.map(\.title)] + rows
        let natural = Self.widths(cells)
        guard let width else { return (Self.aligned(cells, natural), []) }
        let shown = fitting(natural, width)
        let widths = cut(natural, shown, width)
        let visible = cells.map { row in shown.map { DisplayWidth.cut(row[$0], to: widths[$0]) } }
        let leftOut = columns.indices.filter { !shown.contains($0) }.map { columns[$0].title }
        return (Self.aligned(visible, shown.map { widths[$0] }), leftOut)
    }

    /// Returns the indices of the columns that fit if each is cut to its smallest width.
    private func fitting(_ natural: [Int], _ width: Int) -> [Int] {
        var shown = Array(columns.indices)
        func needed() -> Int {
            Self.total(shown.map { index in min(natural[index], columns[index].cutWidth ?? .max) })
        }
        while needed() > width {
            guard
                let last = shown.filter({ columns[$0].dropRank != nil })
                    .max(by: { (columns[$0].dropRank ?? 0) < (columns[$1].dropRank ?? 0) })
            else { break }
            shown.removeAll { $0 == last }
        }
        return shown
    }

    /// Returns the widths of the columns. Cuts the widest columns until the shown ones fit.
    private func cut(_ natural: [Int], _ shown: [Int], _ width: Int) -> [Int] {
        var widths = natural
        var excess = Self.total(shown.map { widths[$0] }) - width
        while excess > 0 {
            let widest = shown.filter { index in columns[index].cutWidth.map { widths[index] > $0 } ?? false }
                .max { widths[$0] < widths[$1] }
            guard let widest else { break }
            widths[widest] -= 1
            excess -= 1
        }
        return widths
    }

    // MARK: - Lines

    private static let gap = "  "

    private static func total(_ widths: [Int]) -> Int {
        widths.reduce(0, +) + gap.utf8.count * max(0, widths.count - 1)
    }

    private static func widths(_ rows: [[String]]) -> [Int] {
        guard let first = rows.first else { return [] }
        return first.indices.map { column in rows.map { DisplayWidth.of($0[column]) }.max() ?? 0 }
    }

    /// Returns the rows as lines, each column as wide as its widest cell. All rows must have the same number of cells.
    static func aligned(_ rows: [[String]]) -> [String] { aligned(rows, widths(rows)) }

    private static func aligned(_ rows: [[String]], _ widths: [Int]) -> [String] {
        rows.map { row in
            let last = row.lastIndex { !$0.isEmpty } ?? 0
            return zip(row, widths).prefix(last + 1).enumerated().map { column, cell in
                let padding = column == last ? 0 : cell.1 - DisplayWidth.of(cell.0)
                return cell.0 + String(repeating: " ", count: max(0, padding))
            }.joined(separator: gap)
        }
    }

    // MARK: - Cells

    /// Returns untrusted text without characters that can control a terminal: control characters, line separators, and
    /// marks that reorder text.
    static func printable(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { isSteering($0) ? " " : $0 }))
    }

    private static func isSteering(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory == .control || scalar.properties.isBidiControl
            || scalar.value == 0x2028 || scalar.value == 0x2029
    }

    /// Returns a time of the API without fractions of a second.
    static func moment(_ text: String) -> String {
        guard let point = text.firstIndex(of: ".") else { return text }
        return text[..<point] + "Z"
    }
}
