import Foundation
import TestSupport
import Testing

/// Runs the commands of the README and the guides unchanged, against a new Keyward.
@Suite("Documented commands", .timeLimit(.minutes(10)))
struct DocumentedCommandTests {
    /// The blocks that are not run, each by a part of its text, with the reason.
    private static let skipped: [(file: String, part: String, reason: String)] = [
        ("README.md", "make run", "builds the project again, and runs these tests"),
        ("docs/operations.md", "docker compose", "needs Docker; `compose` below runs the lines before it"),
        ("docs/guides/express.md", "node main.mjs", "needs Express, from npm"),
        ("docs/guides/fastapi.md", "uvicorn main:app", "needs FastAPI and uvicorn"),
        ("examples/hummingbird-app/README.md", "swift test", "builds the example again, as `make example` does"),
    ]

    /// The commands with an exit status other than 0, each by a part of its text.
    private static let statuses: [(part: String, status: Int)] = []

    @Test("each skipped block exists, and is listed once")
    func skippedBlocks() throws {
        let blocks = try Documentation.files().flatMap(Documentation.blocks).filter { $0.language == "sh" }
        #expect(blocks.count > 20)
        for (file, part, _) in Self.skipped {
            let found = blocks.filter { $0.file == file && $0.text.contains(part) }
            #expect(found.count == 1, "\(file): \(part)")
        }
        #expect(Self.documents.count > 9)
        for block in blocks { #expect(!block.commands.isEmpty, "\(block.file):\(block.line)") }
    }

    /// The files with blocks to run. If they cannot be read, the list is empty, and `skippedBlocks` fails.
    private static var documents: [String] {
        ((try? Documentation.files()) ?? []).filter { file in
            ((try? Documentation.blocks(of: file)) ?? []).contains { $0.language == "sh" && !isSkipped($0) }
        }
    }

    @Test(
        "each command has the documented output and status",
        arguments: documents)
    func run(_ file: String) async throws {
        let stage = try await DocumentStage.start(file)
        do {
            for block in try Documentation.blocks(of: file) where block.language == "sh" && !Self.isSkipped(block) {
                try await run(block, on: stage)
            }
        } catch {
            await stage.stop()
            throw error
        }
        await stage.stop()
    }

    private func run(_ block: Documentation.Block, on stage: DocumentStage) async throws {
        let results = try await stage.run(block)
        #expect(results.count == block.commands.count, "\(block.file):\(block.line)")
        for (command, result) in zip(block.commands, results) {
            let what: Comment = "\(block.file):\(block.line): \(command.text)\n\(result.status): \(result.output)"
            let expected = Self.statuses.first { command.text.contains($0.part) }?.status ?? 0
            #expect(result.status == expected, what)
            if let status = command.status {
                #expect(result.output.contains("HTTP/1.1 \(status.number) "), what)
                if let code = status.code { #expect(result.output.contains("\"code\":\"\(code)\""), what) }
            }
            let lines = result.output.split(separator: "\n").map(String.init)
            for line in command.output {
                #expect(lines.contains { Documentation.matches($0, line) }, "expected: \(line)\n\(what)")
            }
        }
    }

    private static func isSkipped(_ block: Documentation.Block) -> Bool {
        skipped.contains { $0.file == block.file && block.text.contains($0.part) }
    }

    @Test("the secrets for Compose are generated once and kept")
    func compose() async throws {
        let blocks = try Documentation.blocks(of: "docs/operations.md")
        let block = try #require(blocks.first { $0.language == "sh" && $0.text.contains("docker compose") })
        let lines = block.commands.map(\.text).filter { !$0.hasPrefix("docker compose") }
        #expect(!lines.isEmpty && lines.count == block.commands.count - 1)
        let folder = try TestFolder.make("compose")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let shell = try #require(TestTool.installed("sh"))
        var texts: Set<String> = []
        for _ in 0..<2 {
            let process = ChildProcess(shell, ["-ec", lines.joined(separator: "\n")], folder: folder)
            #expect(try await process.waitForExit() == 0, "\(process.log.text)")
            texts.insert(try String(contentsOfFile: folder + "/.env", encoding: .utf8))
        }
        #expect(texts.count == 1)
        let text = try #require(texts.first)
        #expect(
            text.contains(/(?m)^POSTGRES_PASSWORD=[0-9a-f]{48}$/)
                && text.contains(/(?m)^KEYWARD_ADMIN_KEY=[0-9a-f]{64}$/))
        let mode = try FileManager.default.attributesOfItem(atPath: folder + "/.env")[.posixPermissions] as? Int
        #expect(mode == 0o600)
        // Compose reads the file, but no image and no commit contains it.
        for name in [".gitignore", ".dockerignore"] {
            let ignored = try String(contentsOf: TestTool.repository.appending(path: name), encoding: .utf8)
            #expect(ignored.split(separator: "\n").contains(".env"), "\(name)")
        }
        let file = try String(contentsOf: TestTool.repository.appending(path: "docker-compose.yml"), encoding: .utf8)
        for match in file.matches(of: /\$\{(\w+)/) { #expect(text.contains("\(match.1)="), "\(match.1)") }
    }

    @Test("patterns match output, times and redacted secrets")
    func patterns() {
        #expect(Documentation.matches(#"{"a":1,"b":"x"}"#, #"{"a":…"x"}"#))
        #expect(!Documentation.matches(#"{"a":1,"b":"y"}"#, #"{"a":…"x"}"#))
        #expect(!Documentation.matches("ab", "a"))
        #expect(Documentation.matches("at 2030-01-31T12:00:00.5Z", "at 2026-11-24T09:00:00Z"))
    }
}
