import Foundation
import NIOHTTP1
import TestSupport

/// A Keyward, a PostgreSQL and an API in a new folder, for the commands of one document.
///
/// The commands run in bash. Only the reader's values are replaced: addresses, database URLs and placeholders.
struct DocumentStage {
    private let file: String
    private let server: TestServer
    private let keyward: KeywardProcess
    private let api: ReportingAPI
    private let proxy: ProxyServer?
    private let folder: String

    struct Result {
        let status: Int
        let output: String
    }

    static func start(_ file: String) async throws -> DocumentStage {
        let server = try await TestServer.start()
        try await Psql.run("CREATE DATABASE documented", on: server.connectionString)
        // The role that the operator creates before the grants.
        _ = try await server.admit(role: "keyward_run")
        let api = try await ReportingAPI.start()
        let keyward = try await KeywardProcess.start(
            database: server.connectionString(database: "documented"), arguments: ["--issuer", "https://keys.internal"])
        let folder = try TestFolder.make("documented")
        let name = URL(filePath: file).deletingPathExtension().lastPathComponent
        let proxy = try await ProxyKind(rawValue: name).asyncMap { kind in
            try await ProxyServer.started(kind, keyward: port(of: keyward.control), api: api.port)
        }
        let stage = DocumentStage(
            file: file, server: server, keyward: keyward, api: api, proxy: proxy, folder: folder)
        try await stage.prepareFolder()
        return stage
    }

    func stop() async {
        try? await proxy?.stop()
        _ = try? await keyward.stop()
        try? await api.stop()
        await server.destroy()
    }

    private static func port(of url: String) -> Int { URL(string: url)?.port ?? 0 }

    // MARK: - The reader's values

    private func prepareFolder() async throws {
        let files = FileManager.default
        try files.createDirectory(atPath: folder + "/.keyward", withIntermediateDirectories: true)
        try files.createDirectory(atPath: folder + "/bin", withIntermediateDirectories: true)
        let key = folder + "/.keyward/admin-key"
        try (keyward.adminKey + "\n").write(toFile: key, atomically: true, encoding: .utf8)
        try files.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key)
        try files.createSymbolicLink(
            atPath: folder + "/bin/keyward", withDestinationPath: KeywardProcess.executable)
        // The reader's certificate.
        let openssl = ChildProcess(
            TestTool.installed("openssl") ?? "",
            [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1", "-keyout",
                "key.pem", "-out", "chain.pem",
            ], folder: folder)
        guard try await openssl.waitForExit() == 0 else { throw TestSupportError(openssl.log.text) }
        // The table of the system from which keys are imported.
        try await Psql.run("CREATE DATABASE origin", on: server.connectionString)
        try await Psql.run(
            """
            CREATE TABLE auth_keys (
                id uuid, name text, description text, token_hash text, redacted_value text, enabled boolean,
                expires_at bigint, deactivated_at bigint, created_at bigint, updated_at bigint)
            """,
            """
            INSERT INTO auth_keys VALUES (
                gen_random_uuid(), 'origin', NULL, encode(sha256('x'), 'hex'), 'sk_gom_...abcd', true, NULL, NULL,
                1700000000, 1700000001)
            """,
            on: server.connectionString(database: "origin"))
        if let query = try Documentation.blocks(of: file).first(where: { $0.text.contains("'sk_gom_'") }) {
            try query.text.write(toFile: folder + "/origin.sql", atomically: true, encoding: .utf8)
        }
    }

    /// The server's address as environment variables of libpq.
    private var variables: [String: String] {
        let names = ["host": "PGHOST", "port": "PGPORT", "user": "PGUSER"]
        return server.connectionString.split(separator: " ").reduce(into: ["PGDATABASE": "postgres"]) {
            variables, word in
            let parts = word.split(separator: "=", maxSplits: 1)
            if parts.count == 2, let name = names[String(parts[0])] {
                variables[name] = parts[1].trimmingCharacters(in: ["'"])
            }
        }
    }

    /// Returns the URI of a database, without characters that a shell interprets.
    private func url(_ database: String, user: String? = nil) -> String {
        let variables = variables
        let host = variables["PGHOST", default: ""].replacing("/", with: "%2F")
        return
            "postgres://\(user ?? variables["PGUSER", default: ""])@\(host):\(variables["PGPORT", default: ""])/\(database)"
    }

    /// Returns the text of a command with the values of this stage in place of the reader's.
    private func localized(
        _ text: String, key: (id: String, value: String), admin: (id: String, value: String)
    ) -> String {
        let id = text.contains("keyward admin-keys") ? admin.id : key.id
        let replacements = [
            ("http://127.0.0.1:9090", keyward.control), ("http://127.0.0.1:8080", keyward.gateway),
            ("127.0.0.1:3000", "127.0.0.1:\(api.port)"), ("127.0.0.1:8000", "127.0.0.1:\(proxy?.port ?? 0)"),
            ("0.0.0.0:443", "127.0.0.1:0"),
            ("postgres://keyward@db.example.com/keyward?sslmode=verify-full", url("documented")),
            ("postgres://owner@db/keyward", url("documented")),
            ("postgres://keyward_run@db/keyward", url("documented", user: "keyward_run")),
            ("019ab…", id), ("kw_…", key.value), ("kwa_…", admin.value),
        ]
        return replacements.reduce(text) { $0.replacing($1.0, with: $1.1) }
    }

    // MARK: - Running

    /// The beginning of every script. It makes `keyward serve` end once it listens. Variables that a block sets are
    /// kept, except exported variables of Keyward.
    private static let prologue = #"""
        exec 2>&1
        set -o pipefail
        keyward() {
            if [ "$1" != serve ]; then command keyward "$@"; return; fi
            KEYWARD_ADMIN_KEY="${KEYWARD_ADMIN_KEY:-$OWN_ADMIN_KEY}" KEYWARD_LOG_LEVEL=error \
            KEYWARD_DATABASE_URL="${KEYWARD_DATABASE_URL:-$OWN_DATABASE_URL}" \
            KEYWARD_GATEWAY_ADDRESS=127.0.0.1:0 KEYWARD_CONTROL_ADDRESS=127.0.0.1:0 KEYWARD_CONTROL_URL= \
                command keyward "$@" > serve.out &
            local instance=$!
            for _ in $(seq 300); do
                grep -q '^control listening' serve.out && break
                kill -0 "$instance" 2>/dev/null || break
                sleep 0.1
            done
            cat serve.out
            grep -q '^control listening' serve.out || return 1
            kill "$instance"
            wait "$instance"
        }
        pip() { "$TOOLS/pip" show "${@: -1}" > shown; }
        [ -f variables ] && . ./variables
        """#

    /// Runs the commands of a block in order.
    func run(_ block: Documentation.Block) async throws -> [Result] {
        let key = try await keyward.create("unnamed", #","owner":"team","scopes":["documents:*"]"#)
        let admin = try await adminKey()
        if block.text.contains("keyward audit verify") { try await waitForSeals() }
        let marker = "@@\(UInt64.random(in: 0...UInt64.max))"
        var script = Self.prologue
        for command in block.commands {
            script += "\necho '\(marker)'\n\(localized(command.text, key: key, admin: admin))\n"
            script += "echo \"\(marker) $?\"\n"
        }
        script += "declare -p admin digest key verify HEAD LAST 2>/dev/null > variables\n"
        guard let bash = TestTool.installed("bash") else { throw TestSupportError("bash is not installed") }
        try script.write(toFile: folder + "/script", atomically: true, encoding: .utf8)
        let path = [folder + "/bin", TestTool.repository.appending(path: ".build/tools/bin").path]
        let process = ChildProcess(
            bash, ["-c", "PATH=\"$OWN_PATH:$PATH\" exec bash ./script"],
            environment: [
                "HOME": folder, "KEYWARD_CONTROL_URL": keyward.control, "OWN_ADMIN_KEY": keyward.adminKey,
                "OWN_DATABASE_URL": url("documented"), "OWN_PATH": path[0], "TOOLS": path[1],
                "ORIGIN_DATABASE_URL": url("origin"),
            ].merging(variables) { first, _ in first }, folder: folder)
        _ = try await process.waitForExit()
        return Self.results(process.output.all, marker)
    }

    private static func results(_ lines: [String], _ marker: String) -> [Result] {
        var results: [Result] = []
        var output: [String] = []
        for line in lines {
            if line == marker {
                output = []
            } else if let end = line.range(of: marker + " ") {
                // Output without a final line break is on the marker's line, before the marker.
                output.append(String(line[..<end.lowerBound]))
                results.append(
                    Result(status: Int(line[end.upperBound...]) ?? -1, output: output.joined(separator: "\n")))
            } else {
                output.append(line)
            }
        }
        return results
    }

    private func adminKey() async throws -> (id: String, value: String) {
        let made = try await keyward.send(
            .POST, keyward.control + "/admin/api/v1/admin-keys", key: keyward.adminKey,
            body: #"{"name":"documented","permissions":["verify","keys:read"]}"#)
        guard let id = made.object["id"] as? String, let value = made.object["value"] as? String else {
            throw TestSupportError("the admin key was not created: \(made.text)")
        }
        return (id, value)
    }

    private func waitForSeals() async throws {
        let database = server.connectionString(database: "documented")
        let isSealed = try await eventually {
            try await Psql.run(
                "SELECT (SELECT count(*) FROM audit_seals) = (SELECT count(*) FROM audit_events)", on: database) == "t"
        }
        guard isSealed else { throw TestSupportError("the trail is not sealed") }
    }
}

extension Optional {
    fileprivate func asyncMap<R>(_ transform: (Wrapped) async throws -> R) async rethrows -> R? {
        guard let self else { return nil }
        return try await transform(self)
    }
}
