/// The options of an import.
public struct ImportOptions: Sendable, Equatable {
    public enum Mode: String, Sendable, CaseIterable {
        /// Imports all lines, or none.
        case atomic
        /// Imports the valid lines.
        case skip
    }

    public var mode: Mode
    /// Checks all lines and stores nothing.
    public var isDryRun: Bool

    public init(mode: Mode = .atomic, isDryRun: Bool = false) {
        self.mode = mode
        self.isDryRun = isDryRun
    }
}

/// A line of an import: the requested key, or the reason why it cannot be parsed.
public struct ImportLine: Sendable {
    public let number: Int
    public let content: Result<ImportRequest, ImportProblem>

    public init(number: Int, content: Result<ImportRequest, ImportProblem>) {
        self.number = number
        self.content = content
    }
}

/// The reason why a line was refused.
public struct ImportProblem: Error, Sendable, Equatable {
    public let line: Int
    /// The invalid member.
    public let param: String?
    public let message: String

    public init(line: Int, param: String?, message: String) {
        self.line = line
        self.param = param
        self.message = message
    }
}

/// The result of an import.
public struct ImportReport: Sendable, Equatable {
    /// The maximum number of problems that are listed.
    public static let problemLimit = 1_000

    /// The number of keys stored; in a dry run, that would have been stored.
    public internal(set) var imported = 0
    public internal(set) var failed = 0
    public internal(set) var problems: [ImportProblem] = []
    /// True if all failed lines are duplicates of existing keys or earlier lines.
    public internal(set) var hasOnlyDuplicates = false

    public init() {}

    public var isTruncated: Bool { problems.count < failed }

    mutating func note(_ problem: ImportProblem) {
        failed += 1
        if problems.count < Self.problemLimit { problems.append(problem) }
    }

    mutating func note(_ found: ImportDuplicates) {
        hasOnlyDuplicates = failed == 0 && found.count > 0
        failed += found.count
        problems += found.first.map(\.problem)
        problems.sort { $0.line < $1.line }
        problems.removeLast(max(0, problems.count - Self.problemLimit))
    }
}
