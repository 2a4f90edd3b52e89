import AuthKeys
import Foundation
import TestSupport
import Testing

@testable import KeywardServer

@Suite("Setting values", .timeLimit(.minutes(5)))
struct SettingValueTests {
    private static let key = "canary-" + String(repeating: "k", count: 32)

    private func source(
        _ environment: [String: String], flags: [Setting: String] = [:], file: String? = nil
    ) throws -> SettingsSource {
        try SettingsSource(flags: flags, environment: environment, file: file)
    }

    private func folder() throws -> String {
        let folder = try TestFolder.make("values")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return folder
    }

    private func write(_ text: String, mode: Int = 0o600, owner: Int? = nil) throws -> String {
        let path = try folder() + "/file"
        try Data(text.utf8).write(to: URL(filePath: path))
        var attributes: [FileAttributeKey: Any] = [.posixPermissions: mode]
        attributes[.ownerAccountID] = owner
        try FileManager.default.setAttributes(attributes, ofItemAtPath: path)
        return path
    }

    @Test("surrounding white space is removed from variables, flags and files")
    func trimmed() throws {
        let file = try write("{\"admin_key\": \"\\n  \(Self.key) \\r\\n\", \"data_dir\": \" a b \"}")
        let fromFile = try source([:], file: " \(file)\n")
        #expect(fromFile.text(Setting.adminKey) == Self.key && fromFile.text(Setting.dataDirectory) == "a b")
        let fromVariables = try source(["KEYWARD_ADMIN_KEY": "\t\(Self.key)\n", "KEYWARD_ISSUER": " \r\n"])
        #expect(fromVariables.text(Setting.adminKey) == Self.key && fromVariables.text(Setting.issuer) == nil)
        #expect(try source([:], flags: [Setting.dataDirectory: " x "]).text(Setting.dataDirectory) == "x")
        #expect(try AdminKeyFile.read(try write("\n \(Self.key)\r\n\n")).key == Self.key)
    }

    @Test(
        "a value with quotes around it, a line break or a control character is refused by name and not shown",
        arguments: [
            ("\"\(key)\"", "quotes"), ("'\(key)'", "quotes"), (" '\(key)' \n", "quotes"),
            ("\(key)\n\(key)", "line break"), ("\(key)\r\n\(key)", "line break"), ("\(key)\u{2028}x", "line break"),
            ("\(key)\u{7}x", "control character"),
        ])
    func refused(text: String, says: String) throws {
        func expect(_ error: (any Error)?, _ name: String) {
            let shown = error.map { "\($0)" } ?? ""
            #expect(shown.contains(name) && shown.contains(says), "\(shown)")
            #expect(!shown.contains("canary") && !shown.contains { $0.isNewline })
        }
        for setting in Setting.allCases {
            expect(#expect(throws: SettingsError.self) { try source([setting.environment: text]) }, setting.environment)
        }
        expect(#expect(throws: SettingsError.self) { try source([:], flags: [Setting.issuer: text]) }, "--issuer")
        let member = String(decoding: try JSONEncoder().encode(["database_url": text]), as: UTF8.self)
        let file = try write(member)
        expect(
            #expect(throws: SettingsError.self) { try source([:], file: file) }, "KEYWARD_DATABASE_URL")
        let path = try write(text)
        expect(
            #expect(throws: SettingsError.self) { try Settings(source(["KEYWARD_ADMIN_KEY_FILE": path])) },
            "KEYWARD_ADMIN_KEY_FILE")
    }

    @Test("a byte order mark and other invisible characters are refused")
    func invisible() throws {
        for text in ["\u{FEFF}abc", "abc\u{FEFF}", "a\u{200B}b", "a\u{202E}b"] {
            #expect(throws: SettingsError.self) { try source(["KEYWARD_ADMIN_KEY": text]) }
        }
    }

    @Test("quotes and tabs inside a value are kept")
    func kept() throws {
        for text in ["host='/tmp/a b'", "'", "a'b", "host=a\tport=1", "\"a", "it's"] {
            #expect(try source(["KEYWARD_DATABASE_URL": text]).text(Setting.databaseURL) == text)
        }
    }

    @Test("an empty flag or file member is refused by name, and an empty variable counts as not set")
    func emptyValues() throws {
        for text in ["", " ", "   "] {
            let flag = #expect(throws: SettingsError.self) {
                try source(["KEYWARD_REQUIRE": "x"], flags: [Setting.require: text])
            }
            #expect(flag?.description.contains("--require") == true && flag?.description.contains("empty") == true)
            let member = #expect(throws: SettingsError.self) {
                try source([:], file: try write("{\"require\":\"\(text)\"}"))
            }
            #expect(member?.description.contains("KEYWARD_REQUIRE") == true)
            #expect(try source(["KEYWARD_REQUIRE": text]).text(Setting.require) == nil)
        }
    }

    @Test("a repeated setting in the file is refused by name")
    func repeated() throws {
        for file in [#"{"issuer":"http://a","issuer":"http://b"}"#, #"{"issuer":"http://a","\u0069ssuer":"http://b"}"#]
        {
            let error = #expect(throws: SettingsError.self) { try source([:], file: try write(file)) }
            #expect(error?.description.contains("'issuer'") == true && error?.description.contains("repeated") == true)
        }
    }

    @Test("an error about a name with line breaks has one line")
    func oneLine() throws {
        let variable = #expect(throws: SettingsError.self) { try source(["KEYWARD_A\nB": "x"]) }
        #expect(variable.map { "\($0)".contains { $0.isNewline } } == false)
        let member = #expect(throws: SettingsError.self) { try source([:], file: try write("{\"a\\nb\": \"x\"}")) }
        #expect(member.map { "\($0)".contains { $0.isNewline } } == false)
    }

    @Test("a secret file that others can write is refused, and one that others can read causes a warning")
    func modes() throws {
        for mode in [0o620, 0o602, 0o666] {
            let path = try write(Self.key, mode: mode)
            let error = #expect(throws: SettingsError.self) { try Settings(source(["KEYWARD_ADMIN_KEY_FILE": path])) }
            #expect(error.map { "\($0)".contains("can be written by others") } == true, "\(error as Any)")
            let config = try write("{\"admin_key\":\"\(Self.key)\"}", mode: mode)
            #expect(throws: SettingsError.self) { try source([:], file: config) }
            let certificate = ["KEYWARD_GATEWAY_KEY_FILE": path, "KEYWARD_GATEWAY_CERTIFICATE_FILE": "/none"]
            let key = #expect(throws: SettingsError.self) { try Settings(source(certificate)) }
            #expect(key.map { "\($0)".contains("KEYWARD_GATEWAY_KEY_FILE") } == true)
        }
        for (mode, warns) in [(0o600, false), (0o640, false), (0o644, true), (0o444, true)] {
            let path = try write(Self.key, mode: mode)
            let settings = try Settings(source(["KEYWARD_ADMIN_KEY_FILE": path]))
            #expect(settings.adminKey != nil && settings.warnings.contains { $0.contains(path) } == warns)
            let config = try write("{\"database_url\":\"host=x\"}", mode: mode)
            #expect(try source([:], file: config).warnings.isEmpty != warns)
        }
        // A file without secrets may be readable.
        let open = try write("{\"issuer\":\"http://a\"}", mode: 0o666)
        #expect(throws: SettingsError.self, "the writer of the file could lift every restriction") {
            try source([:], file: open)
        }
        #expect(try source([:], file: try write("{\"issuer\":\"http://a\"}", mode: 0o644)).warnings.isEmpty)
    }

    @Test("a data folder in which others can replace files causes a warning")
    func folders() throws {
        let folder = try folder()
        for (mode, warns) in [(0o700, false), (0o711, false), (0o755, false), (0o775, true), (0o777, true)] {
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: folder)
            #expect((SecretFile.inspectFolder(folder) != nil) == warns)
        }
        #expect(SecretFile.inspectFolder(folder + "/none") == nil)
    }

    @Test("a secret file of another user is refused", .enabled(if: geteuid() == 0))
    func owners() throws {
        let path = try write(Self.key, owner: 65_534)
        let error = #expect(throws: SettingsError.self) { try Settings(source(["KEYWARD_ADMIN_KEY_FILE": path])) }
        #expect(error.map { "\($0)".contains("belongs to user id 65534") } == true, "\(error as Any)")
    }

    @Test("commands apply these rules to the admin key")
    func commands() async throws {
        let listener = ["KEYWARD_CONTROL_URL": "http://127.0.0.1:1"]
        for (variables, names) in [
            (["KEYWARD_ADMIN_KEY": "'\(Self.key)'"], "KEYWARD_ADMIN_KEY"),
            (["KEYWARD_ADMIN_KEY": "\(Self.key)\nx"], "KEYWARD_ADMIN_KEY"),
            (["KEYWARD_ADMIN_KEY_FILE": try write(Self.key, mode: 0o666)], "can be written by others"),
        ] {
            let result = try await KeywardProcess.run(
                ["keys", "list"], environment: variables.merging(listener) { $1 })
            #expect(result.status == 1 && result.error.contains(names), "\(result.error)")
            #expect(result.error.split(separator: "\n").count == 1 && !result.error.contains("canary"))
        }
        let readable = try await KeywardProcess.run(
            ["keys", "list"],
            environment: ["KEYWARD_ADMIN_KEY_FILE": try write(Self.key, mode: 0o644)].merging(listener) { $1 })
        #expect(readable.error.contains("warning") && readable.error.contains("cannot be reached"), "\(readable.error)")
    }

    @Test("the name of an instance is 1 to 64 printable characters")
    func instanceName() throws {
        func name(_ text: String) throws -> String? {
            try Settings(source(["KEYWARD_INSTANCE_NAME": text])).instanceName?.text
        }
        #expect(try name("") == nil && name(" gw 3 ") == "gw 3")
        let error = #expect(throws: SettingsError.self) { try name(String(repeating: "x", count: 65)) }
        #expect(error.map { "\($0)" }?.hasPrefix("KEYWARD_INSTANCE_NAME (--instance-name) takes 1 to 64") == true)
    }
}
