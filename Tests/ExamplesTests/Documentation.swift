import Foundation
import TestSupport

/// The code blocks in the project's Markdown files.
struct Documentation {
    /// A fenced block.
    struct Block {
        /// The path of the file in the repository.
        let file: String
        /// The number of the line that opens the block.
        let line: Int
        let language: String
        let text: String
        /// The commands of a shell block; empty for other blocks.
        var commands: [Command]
    }

    /// A command, with its continuation lines.
    struct Command {
        var text: String
        /// The comment after the command, on the same line.
        var comment: String?
        /// The lines of output below the command. `…` stands for any text.
        var output: [String] = []

        /// The status of an HTTP response and the error code that the comment names.
        var status: (number: Int, code: String?)? {
            // The API of the tests sends 200 for every request.
            if comment?.contains("your API's answer") == true { return (200, nil) }
            guard let match = comment?.prefixMatch(of: /(\d{3})\b(?: ([a-z]+_[a-z_]+))?/), let number = Int(match.1)
            else { return nil }
            return (number, match.2.map(String.init))
        }
    }

    /// Returns the README and the files of docs, examples and benchmarks, in the order of their names.
    static func files() throws -> [String] {
        let root = TestTool.repository
        let folders = ["docs", "examples", "Benchmarks"]
        let below = folders.flatMap { folder in
            FileManager.default.enumerator(atPath: root.appending(path: folder).path)?.compactMap { $0 as? String }
                .filter { $0.hasSuffix(".md") && !$0.contains(".build") }.map { "\(folder)/\($0)" } ?? []
        }
        return ["README.md"] + below.sorted()
    }

    static func blocks(of file: String) throws -> [Block] {
        let text = try String(contentsOf: TestTool.repository.appending(path: file), encoding: .utf8)
        var blocks: [Block] = []
        var open: (line: Int, language: String, lines: [Substring])?
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            guard let fence = line.wholeMatch(of: /\s*```(\w*)/) else {
                open?.lines.append(line)
                continue
            }
            guard let block = open else {
                open = (number + 1, String(fence.1), [])
                continue
            }
            let commands = block.language == "sh" ? Self.commands(in: block.lines) : []
            let text = block.lines.joined(separator: "\n")
            if block.language == "json", let last = blocks.last, !last.commands.isEmpty {
                // A JSON block is the output of the command before it.
                blocks[blocks.count - 1].commands[last.commands.count - 1].output.append(text)
            }
            blocks.append(
                Block(file: file, line: block.line, language: block.language, text: text, commands: commands))
            open = nil
        }
        return blocks
    }

    private static func commands(in lines: [Substring]) -> [Command] {
        var commands: [Command] = []
        var isContinued = false
        for line in lines where !line.allSatisfy(\.isWhitespace) {
            if line.hasPrefix("# ") {
                if !commands.isEmpty { commands[commands.count - 1].output.append(String(line.dropFirst(2))) }
                continue
            }
            if isContinued {
                commands[commands.count - 1].text += "\n" + line
            } else {
                commands.append(Command(text: String(line)))
            }
            isContinued = line.hasSuffix("\\")
            if let comment = line.firstMatch(of: /\s{2,}# (.*)$/) {
                commands[commands.count - 1].comment = String(comment.1)
            }
        }
        return commands
    }

    /// Returns true if a text matches the pattern, in which `…` stands for any text. Times match each other, as do the
    /// last characters of redacted secrets.
    static func matches(_ text: String, _ pattern: String) -> Bool {
        func plain(_ text: String) -> String {
            text.replacing(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/, with: "MOMENT")
                .replacing(/_\.\.\.\w{4}/, with: "_...LAST")
        }
        // An id begins with the time of its creation.
        let parts = plain(pattern.replacing("019ab…", with: "…")).split(
            separator: "…", omittingEmptySubsequences: false
        ).map(String.init)
        var rest = plain(text)[...]
        guard let first = parts.first, rest.hasPrefix(first) else { return false }
        rest = rest.dropFirst(first.count)
        if parts.count == 1 { return rest.isEmpty }
        for part in parts.dropFirst().dropLast() {
            guard let range = rest.firstRange(of: part) else { return false }
            rest = rest[range.upperBound...]
        }
        return rest.hasSuffix(parts[parts.count - 1])
    }
}
