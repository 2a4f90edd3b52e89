import ArgumentParser
import ControlBodies
import Glibc
import NIOCore
import Synchronization

/// The commands for many keys.
extension KeysCommand {
    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Import keys of another system, with their existing tokens.",
            discussion: """
                The file has one JSON object per line. It has the members that creation takes (name, owner, expires_at ...), \
                and optionally id, created_at, updated_at and deactivated_at. It has either "token", or "digest" with \
                "algorithm" (sha256 or sha512), "of" (token, or suffix for the part after the prefix) and "prefix". \
                See docs/import.md.
                """)

        enum Mode: String, ExpressibleByArgument, CaseIterable {
            case atomic, skip
        }

        @Argument(help: "The file; - for standard input.", completion: .file(), transform: GivenText.nonEmpty)
        var file: String

        @Option(help: "atomic: import all lines or none. skip: skip invalid lines.")
        var mode = Mode.atomic

        @Flag(help: "Validate the file, and import nothing.")
        var dryRun = false

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                let answer = try await send()
                let report = try ControlClient.decode(ImportReportJSON.self, answer)
                if client.json { try client.print(answer) } else { try show(report) }
                if report.failed > 0 { throw ExitCode.failure }
            }
        }

        private func send() async throws -> ControlClient.Answer {
            let connection = try await client.connect()
            let descriptor = file == "-" ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else {
                throw CommandError(.failure, "\(file) cannot be read: \(String(cString: strerror(errno)))")
            }
            defer { if descriptor != STDIN_FILENO { close(descriptor) } }
            let progress = ImportProgress()
            let chunks = try await FileChunks(descriptor: descriptor) { progress.sent($0) }
            defer { progress.end() }
            return try await connection.importKeys(
                chunks, query: [("mode", mode.rawValue), ("dry_run", String(dryRun))])
        }

        private func show(_ report: ImportReportJSON) throws {
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
            abstract: "Write all keys without their secrets, as one JSON object per line.")

        @Option(
            help: "The file to write. Default: standard output.", completion: .file(),
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

/// The progress of an import, shown on a terminal at most five times a second.
private final class ImportProgress: Sendable {
    private struct State {
        var lines = 0
        var shownAt: ContinuousClock.Instant
    }

    private let start = ContinuousClock.now
    private let state = Mutex(State(shownAt: .now - .seconds(1)))
    private let isShown = Console.hasTerminal

    /// Counts the lines of a chunk. An empty chunk is the end.
    func sent(_ chunk: ByteBuffer) {
        guard isShown else { return }
        let lines = chunk.readableBytesView.reduce(0) { $1 == 0x0A ? $0 + 1 : $0 }
        let isOver = chunk.readableBytes == 0
        let total = state.withLock { state -> Int? in
            state.lines += lines
            guard isOver || .now - state.shownAt >= .milliseconds(200) else { return nil }
            state.shownAt = .now
            return state.lines
        }
        if let total { show("\(total) lines sent" + (isOver ? ", waiting for the server to store them" : "")) }
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
