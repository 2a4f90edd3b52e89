import ArgumentParser
import Foundation
import TestSupport
import Testing

@testable import KeywardServer

@Suite("Empty options", .timeLimit(.minutes(6)))
struct EmptyOptionTests {
    @Test(
        "an empty option or argument is a usage error that names it",
        arguments: [
            (["keys", "create", "--name", "n", "--expires-at", ""], "--expires-at"),
            (["keys", "create", "--name", "n", "--not-before", ""], "--not-before"),
            (["keys", "create", "--name", "n", "--owner", ""], "--owner"),
            (["keys", "create", "--name", "n", "--owner="], "--owner"),
            (["keys", "create", "--name", "n", "--scope", ""], "--scope"),
            (["keys", "create", "--name", "n", "--allow-method", ""], "--allow-method"),
            (["keys", "create", "--name", "n", "--allow-path", ""], "--allow-path"),
            (["keys", "create", "--name", "n", "--allow-cidr", ""], "--allow-cidr"),
            (["keys", "create", "--name", "n", "--allow-cidr", "10.0.0.0/8", "--allow-cidr", ""], "--allow-cidr"),
            (["keys", "create", "--name", "n", "--report-only", ""], "--report-only"),
            (["keys", "create", "--name", "n", "--label", ""], "--label"),
            (["keys", "create", "--name", "n", "--label", "env="], "--label"),
            (["keys", "create", "--name", "n", "--label", "=prod"], "--label"),
            (["keys", "create", "--name", "n", "--label", "env=a", "--label", "env=b"], "--label"),
            (["keys", "create", "--name", "n", "--metadata", ""], "--metadata"),
            (["keys", "create", "--name", "n", "--metadata", "[1]"], "--metadata"),
            (["keys", "create", "--name", "n", "--metadata", #"{"a":1,"a":2}"#], "--metadata"),
            (["keys", "create", "--name", "n", "--description", ""], "--description"),
            (["keys", "create", "--name", "n", "--prefix", ""], "--prefix"),
            (["keys", "create", "--name", "n", "--idempotency-key", ""], "--idempotency-key"),
            (["keys", "create", "--name", ""], "--name"),
            (["keys", "create", "--name", "n", "--control-url", ""], "--control-url"),
            (["keys", "create", "--name", "n", "--data-dir", ""], "--data-dir"),
            (["keys", "create", "--name", "n", "--admin-key-file", ""], "--admin-key-file"),
            (["keys", "update", "x", "--expires-at", ""], "--expires-at"),
            (["keys", "update", "x", "--owner", ""], "--owner"),
            (["keys", "update", "x", "--name", ""], "--name"),
            (["keys", "update", "x", "--label", "env="], "--label"),
            (["keys", "update", "x", "--clear", "name"], "--clear"),
            (["keys", "update", "x", "--clear", "owner", "--owner", "o"], "--clear owner"),
            (
                ["keys", "update", "x", "--clear", "expires_at", "--expires-at", "2100-01-01T00:00:00Z"],
                "--clear expires_at"
            ),
            (["keys", "update", "x", "--clear-label", "env", "--label", "env=a"], "--clear-label"),
            (["keys", "update", "", "--name", "n"], "<id>"), (["keys", "show", ""], "<id>"),
            (["keys", "deactivate", ""], "<id>"), (["keys", "delete", ""], "<id>"), (["keys", "rotate", ""], "<id>"),
            (["keys", "rotate", "x", "--idempotency-key", ""], "--idempotency-key"),
            (["keys", "list", "--owner", ""], "--owner"), (["keys", "list", "--label", ""], "--label"),
            (["keys", "list", "--status", ""], "--status"), (["keys", "list", "-q", ""], "-q"),
            (["keys", "export", "--scope", ""], "--scope"), (["keys", "export", "--output", ""], "--output"),
            (["keys", "import", ""], "<file>"), (["keys", "explain", "x", "--scope", ""], "--scope"),
            (["keys", "explain", "x", "--ip", ""], "--ip"),
            (["admin-keys", "create", "--name", "n", "--permission", "verify", "--owner", ""], "--owner"),
            (["admin-keys", "create", "--name", "n", "--permission", "verify", "--expires-at", ""], "--expires-at"),
            (["admin-keys", "create", "--name", "n", "--permission", ""], "--permission"),
            (["admin-keys", "update", "x", "--expires-at", ""], "--expires-at"),
            (["admin-keys", "update", "x", "--permission", ""], "--permission"),
            (["admin-keys", "deactivate", ""], "<id>"),
            (["audit", "list", "--owner", ""], "--owner"), (["audit", "export", "--since", ""], "--since"),
            (["audit", "verify", "--expect", ""], "--expect"), (["requests", "list", "--since", ""], "--since"),
            (["requests", "tail", "--status", ""], "--status"), (["requests", "show", ""], "<id>"),
        ])
    func empty(_ arguments: [String], _ name: String) {
        let error = #expect(throws: (any Error).self) { try KeywardCommand.parseAsRoot(arguments) }
        guard let error else { return }
        #expect(KeywardCommand.exitCode(for: error) == .validationFailure)
        let message = KeywardCommand.fullMessage(for: error)
        #expect(message.contains(name), "\(arguments): \(message)")
    }

    @Test("a usage error has exit status 2, and no request is sent")
    func status() async throws {
        let result = try await KeywardProcess.run(
            ["keys", "create", "--name", "n", "--expires-at", ""],
            environment: ["KEYWARD_CONTROL_URL": "http://127.0.0.1:1", "KEYWARD_ADMIN_KEY": KeywardProcess.adminKey])
        #expect(result.status == 2 && result.output.isEmpty)
        #expect(
            result.error.hasPrefix(
                "Error: The value '' is invalid for '--expires-at <expires-at>': the value must not be empty"),
            "\(result)")
    }

    @Test("update clears the given members")
    func clear() async throws {
        let database = try await TestDatabase.create()
        let instance = try await KeywardProcess.start(database: database.connectionString)
        let environment = ["KEYWARD_CONTROL_URL": instance.control, "KEYWARD_ADMIN_KEY": instance.adminKey]
        func object(_ arguments: [String]) async throws -> [String: Any] {
            let result = try await KeywardProcess.run(arguments + ["--json"], environment: environment)
            #expect(result.status == 0, "\(result)")
            return try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
        }
        let made = try await object([
            "keys", "create", "--name", "n", "--owner", "o", "--description", "d", "--scope", "a", "--label", "env=a",
            "--label", "tier=1", "--metadata", #"{"a":1}"#, "--expires-at", "2100-01-01T00:00:00Z", "--not-before",
            "2020-01-01T00:00:00Z", "--allow-method", "GET", "--allow-path", "/v1", "--allow-cidr", "10.0.0.0/8",
            "--limit", "minute=600/1m,burst=100", "--limit", "at-a-time=20,match=POST /v1/**,asked", "--plan", "gold",
            "--credits", "500/month,day=15,add,maximum=900", "--report-only", "limits.minute", "--self-rotation",
        ])
        let id = try #require(made["id"] as? String)
        let less = try await object(["keys", "update", id, "--clear-label", "env", "--clear", "expires_at"])
        #expect(less["labels"] as? [String: String] == ["tier": "1"] && less["expires_at"] == nil)
        let members = [
            "owner", "description", "scopes", "labels", "metadata", "not_before", "allowed_methods", "allowed_paths",
            "allowed_cidrs", "limits", "plan", "credits", "report_only",
        ]
        #expect(members.allSatisfy { less[$0] != nil })
        let shown = try await KeywardProcess.run(["keys", "show", id], environment: environment)
        for line in [
            "minute=600/1m,burst=100", "at-a-time=20,match=POST /v1/**,asked", "gold",
            "500, plus 500 every month (day 15)",
        ] {
            #expect(shown.output.contains(line), "\(shown)")
        }
        #expect(made["self_rotation"] as? Bool == true && shown.output.contains("by the holder"))
        let fixed = try await object(["keys", "update", id, "--no-self-rotation"])
        #expect(fixed["self_rotation"] == nil)
        let bare = try await object(["keys", "update", id] + members.flatMap { ["--clear", $0] })
        #expect(members.allSatisfy { bare[$0] == nil }, "\(bare)")

        let admin = try await object([
            "admin-keys", "create", "--name", "n", "--permission", "verify", "--expires-at", "2100-01-01T00:00:00Z",
        ])
        let endless = try await object([
            "admin-keys", "update", try #require(admin["id"] as? String), "--clear", "expires_at",
        ])
        #expect(endless["expires_at"] == nil && admin["expires_at"] != nil)
        _ = try await instance.stop()
        try await database.drop()
    }
}
