import ArgumentParser

/// How a command prints a table.
struct TableOptions: ParsableArguments {
    /// The line on standard error below a page that others follow.
    static let more = "There are more: --all lists them."

    @Flag(help: "Print all columns in full, however wide the terminal is.")
    var wide = false

    /// Prints the table as wide as the terminal. Output that goes elsewhere has all columns.
    func print(_ table: TextTable) throws {
        let (lines, leftOut) = table.lines(width: wide ? nil : Console.columns)
        try Console.out(lines)
        if !leftOut.isEmpty { Console.error("Left out: \(leftOut.joined(separator: ", ")). --wide shows all columns.") }
    }
}
