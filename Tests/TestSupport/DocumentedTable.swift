import Foundation

/// A table of docs/fields.md, for tests that compare the code with it.
package enum DocumentedTable {
    /// A cell: its text and its code spans, in which `\t` is a tab.
    package struct Cell: Sendable {
        package let text: String
        package let code: [String]

        fileprivate init(_ text: String) {
            self.text = text
            let parts = text.split(separator: "`", omittingEmptySubsequences: false)
            code = parts.indices.filter { $0 % 2 == 1 }.map { String(parts[$0]).replacing(#"\t"#, with: "\t") }
        }
    }

    /// Returns the rows of the first table below a heading.
    package static func rows(below heading: String) throws -> [[Cell]] {
        let file = TestTool.repository.appending(path: "docs/fields.md")
        let lines = try String(contentsOf: file, encoding: .utf8).components(separatedBy: "\n")
        let table = lines.drop { $0 != "### " + heading }.drop { !$0.hasPrefix("|") }.prefix { $0.hasPrefix("|") }
        guard table.count > 2 else { throw TestSupportError("no table below '\(heading)' in docs/fields.md") }
        return table.dropFirst(2).map { line in
            line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast().map {
                Cell($0.trimmingCharacters(in: .whitespaces))
            }
        }
    }
}
