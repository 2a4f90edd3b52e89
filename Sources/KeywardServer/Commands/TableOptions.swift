import ArgumentParser

/// The options for printing a table.
struct TableOptions: ParsableArguments {
    /// The line on standard error after a page that is not the last.
    static let more = "There are more: --all lists them."

    @Flag(help: "Print all columns in full, regardless of the terminal's width.")
    var wide = false

    /// Prints the table in the width of the terminal. Output to a file or pipe has all columns.
    func print(_ table: TextTable) throws {
        let (lines, leftOut) = table.lines(width: wide ? nil : Console.columns)
        try Console.out(lines)
        if !leftOut.isEmpty { Console.error("Omitted columns: \(leftOut.joined(separator: ", ")). --wide shows all.") }
    }
}
