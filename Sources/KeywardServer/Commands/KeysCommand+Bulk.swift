import ArgumentParser
import Glibc
import NIOCore
import Synchronization

/// The commands for many keys at once.
extension KeysCommand {
    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Bring keys in from elsewhere, with the tokens that they have.",
            discussion: """
                One JSON object a line, with the members of a creation (name, owner, expires_at ...), optionally id, \
                created_at, updated_at and deactivated_at, and either "token", or "digest" with "algorithm" (sha256 or \
                sha512), "of" (token, or suffix for what follows the prefix) and "prefix". See docs/import.md.
                """)

        enum Mode: String, ExpressibleByArgument, CaseIterable {
            case atomic, skip
        }

        @Argument(help: "The file; - for standard input.", completion: .file(), transform: GivenText.nonEmpty)
        var file: String

        @Option(help: "atomic: all lines or none. skip: those that are good.")
        var mode = Mode.atomic

        @Flag(help: "Check everything, keep nothing.")
        var dryRun = false

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                let answer = try await send()
                let report = try ControlClient.decode(ControlClient.ImportReport.self, answer)
                if client.json { try client.print(answer) } else { try show(report) }
                if report.failed > 0 { throw ExitCode.failure }
            }
        }

        private func send() async throws -> ControlClient.Answer {
            let connection = try await client.connect()
            let descriptor = file == "-" ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else {
                throw StartError("\(file) cannot be read: \(String(cString: strerror(errno)))")
            }
            defer { if descriptor != STDIN_FILENO { close(descriptor) } }
            let progress = ImportProgress()
            let pieces = try await FilePieces(descriptor: descriptor) { progress.sent($0) }
            defer { progress.end() }
            return try await connection.importKeys(
                pieces, query: [("mode", mode.rawValue), ("dry_run", String(dryRun))])
        }

        private func show(_ report: ControlClient.ImportReport) throws {
            for error in report.errors { Console.error("line \(error.line): \(error.message)") }
            if report.errorsTruncated { Console.error("... and \(report.failed - report.errors.count) more") }
            if report.failed > 0 { Console.error("\(Self.count(report.failed, "line")) failed") }
            try Console.out("\(Self.count(report.imported, "key")) \(dryRun ? "would be imported" : "imported")")
        }

        private static func count(_ number: Int, _ noun: String) -> String {
            "\(number) \(noun)\(number == 1 ? "" : "s")"
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write all keys, one JSON object a line: everything but secrets.")

        @Option(
            help: "The file to write, instead of standard output.", completion: .file(),
            transform: GivenText.nonEmpty)
        var output: String?

        @OptionGroup var filters: FilterOptions

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                let connection = try await client.connect()
                guard let output else {
                    return try await export(connection, to: STDOUT_FILENO, named: Console.standardOutput)
                }
                let descriptor = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
                guard descriptor >= 0 else {
                    throw OutputError(output, errno)
                }
                defer { close(descriptor) }
                try await export(connection, to: descriptor, named: output)
                try Console.flush(descriptor, named: output)
            }
        }

        private func export(_ connection: ControlClient, to descriptor: Int32, named name: String) async throws {
            try await connection.exportKeys(query: filters.query) {
                try Console.write($0, to: descriptor, named: name)
            }
        }
    }
}

/// What an import has sent so far, shown on a terminal a few times a second.
private final class ImportProgress: Sendable {
    private struct State {
        var lines = 0
        var shownAt: ContinuousClock.Instant
    }

    private let start = ContinuousClock.now
    private let state = Mutex(State(shownAt: .now - .seconds(1)))
    private let isShown = Console.hasTerminal

    /// An empty piece is the end.
    func sent(_ piece: ByteBuffer) {
        guard isShown else { return }
        let lines = piece.readableBytesView.reduce(0) { $1 == 0x0A ? $0 + 1 : $0 }
        let isOver = piece.readableBytes == 0
        let total = state.withLock { state -> Int? in
            state.lines += lines
            guard isOver || .now - state.shownAt >= .milliseconds(200) else { return nil }
            state.shownAt = .now
            return state.lines
        }
        if let total { show("\(total) lines sent" + (isOver ? ", waiting for them to be kept" : "")) }
    }

    func end() {
        guard isShown else { return }
        show("\(state.withLock { $0.lines }) lines, done\n")
    }

    private func show(_ text: String) {
        let tenths = Int((ContinuousClock.now - start) / .milliseconds(100))
        Console.progress("\(tenths / 10).\(tenths % 10) s: \(text)")
    }
}
