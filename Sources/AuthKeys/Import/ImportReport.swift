/// How an import goes about what it cannot take.
public struct ImportOptions: Sendable, Equatable {
    public enum Mode: String, Sendable, CaseIterable {
        /// All lines, or none.
        case atomic
        /// All that are good.
        case skip
    }

    public var mode: Mode
    /// Checks everything and keeps nothing.
    public var isDryRun: Bool

    public init(mode: Mode = .atomic, isDryRun: Bool = false) {
        self.mode = mode
        self.isDryRun = isDryRun
    }
}

/// A line of an import: what it asks for, or why it cannot be read.
public struct ImportLine: Sendable {
    public let number: Int
    public let content: Result<ImportRequest, ImportProblem>

    public init(number: Int, content: Result<ImportRequest, ImportProblem>) {
        self.number = number
        self.content = content
    }
}

/// Why a line was not taken.
public struct ImportProblem: Error, Sendable, Equatable {
    public let line: Int
    /// The member that is at fault.
    public let param: String?
    public let message: String

    public init(line: Int, param: String?, message: String) {
        self.line = line
        self.param = param
        self.message = message
    }
}

/// What became of an import.
public struct ImportReport: Sendable, Equatable {
    /// Problems that are named at most.
    public static let problemLimit = 1_000

    /// Keys that were kept; in a dry run, that would have been.
    public internal(set) var imported = 0
    public internal(set) var failed = 0
    public internal(set) var problems: [ImportProblem] = []
    /// Whether the lines that failed only repeat what there is already.
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
