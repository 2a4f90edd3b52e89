import Foundation
import TestSupport
import Testing

@Suite("Completion scripts", .timeLimit(.minutes(5)))
struct CompletionTests {
    private static let shells = ["bash", "zsh", "fish"]

    private static func script(_ shell: String) async throws -> String {
        let result = try await KeywardProcess.run(["completions", shell])
        #expect(result.status == 0 && result.error.isEmpty)
        return result.output + "\n"
    }

    private static func file(_ shell: String) async throws -> String {
        let path = try TestFolder.make("keyward-completions")
        try await script(shell).write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    /// Runs a program, and returns the lines that it printed; nil if it is not installed.
    private static func output(of program: String, _ arguments: [String]) async throws -> [String]? {
        guard let path = TestTool.installed(program) else { return nil }
        let process = ChildProcess(path, arguments, environment: ["HOME": "/", "TERM": "dumb"])
        let status = try await process.waitForExit()
        #expect(status == 0, "\(program): \(process.log.text)")
        return process.output.all
    }

    @Test("each script has the commands, the options and their values", arguments: shells)
    func contents(_ shell: String) async throws {
        let script = try await Self.script(shell)
        for word in ["keys", "admin-keys", "create", "rotate", "audit", "gateway-key-file", "-last_used", "atomic"] {
            #expect(script.contains(word), "\(word)")
        }
        let flag = try await KeywardProcess.run(["--generate-completion-script", shell])
        #expect(flag.status == 0 && flag.output + "\n" == script)
    }

    @Test("each shell parses its script", arguments: shells)
    func syntax(_ shell: String) async throws {
        _ = try await Self.output(of: shell, ["-n", try await Self.file(shell)])
    }

    @Test("an unsupported shell is refused")
    func unknown() async throws {
        let result = try await KeywardProcess.run(["completions", "tcsh"])
        #expect(result.status == 2 && result.error.contains("bash, zsh or fish"))
    }

    /// Command lines, and the suggestions at the end of each.
    static let lines: [(line: String, offered: Set<String>)] = [
        ("keyward key", ["keys"]),
        ("keyward keys cr", ["create", "credits"]),
        ("keyward keys create --own", ["--owner"]),
        ("keyward keys list --status ", ["active", "disabled", "deactivated", "expired"]),
        ("keyward keys list --sort -na", ["-name"]),
        ("keyward keys import --mode ", ["atomic", "skip"]),
        ("keyward keys create --report-only allowed_p", ["allowed_paths"]),
        ("keyward keys create --allow-method P", ["POST", "PUT", "PATCH"]),
        ("keyward admin-keys create --permission keys:r", ["keys:read", "keys:rotate"]),
        ("keyward admin-keys create --name x --permission au", ["audit:read"]),
        ("keyward keys list --control-url http://127.0.0.1:9090 --stat", ["--status"]),
        ("keyward audit list --outcome ", ["done", "refused"]),
        ("keyward serve --log-format ", ["json", "text"]),
        ("keyward serve --config /etc/hostn", ["/etc/hostname"]),
        ("keyward serve --gateway-certificate-file /etc/hostn", ["/etc/hostname"]),
        ("keyward keys import /etc/hostn", ["/etc/hostname"]),
        ("keyward completions ", ["bash", "zsh", "fish"]),
    ]

    @Test("bash offers the matching words", arguments: lines)
    func bash(_ line: String, _ offered: Set<String>) async throws {
        let words = Self.bashWords(of: line)
        let current = words.last.map { $0 == ":" ? "" : $0 } ?? ""
        let program = """
            source "$0"; COMP_LINE="$1"; COMP_POINT=${#1}; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
            function=$(complete -p keyward | sed 's/.* -F \\([^ ]*\\) .*/\\1/')
            "$function" keyward '\(current)' "${COMP_WORDS[COMP_CWORD - 1]}"
            printf '%s\\n' "${COMPREPLY[@]}"
            """
        let found = try #require(
            try await Self.output(of: "bash", ["-c", program, try await Self.file("bash"), line] + words))
        // Bash itself keeps the text before the last colon.
        let last = line.split(separator: " ", omittingEmptySubsequences: false).last ?? ""
        let before = last.lastIndex(of: ":").map { String(last[...$0]) } ?? ""
        #expect(Set(found.filter { !$0.isEmpty }.map { before + $0 }) == offered)
    }

    /// Splits a line as bash does: at spaces, and at colons, each of which is a word.
    private static func bashWords(of line: String) -> [String] {
        line.split(separator: " ", omittingEmptySubsequences: false).flatMap { word -> [String] in
            let parts = word.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            let pieces = parts.enumerated().flatMap { $0 == 0 ? [$1] : [":", $1] }
            return pieces.count > 1 && pieces.last == "" ? pieces.dropLast() : pieces
        }
    }

    /// Fish reads a value that begins with a minus sign as an option.
    @Test("fish offers the matching words", arguments: lines.filter { !$0.line.contains("--sort -") })
    func fish(_ line: String, _ offered: Set<String>) async throws {
        let program = "source $argv[1]; complete -C $argv[2]"
        let arguments = ["-N", "-c", program, try await Self.file("fish"), line]
        guard let found = try await Self.output(of: "fish", arguments) else { return }
        let words = Set(found.compactMap { $0.split(separator: "\t").first.map(String.init) })
        #expect(words == offered)
    }
}
