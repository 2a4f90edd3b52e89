import ArgumentParser
import AuthKeys
import ControlAPI
import Foundation
import Gateway
import RequestLog
import RequestLogPostgres
import TestSupport
import Testing

@testable import KeywardServer

@Suite("Setting table")
struct SettingTableTests {
    private static let flags = Setting.allCases.filter { $0.flag != nil }

    @Test("docs/settings.md has one row for each setting, with its flag, default and accepted values")
    func documented() throws {
        let page = try String(contentsOf: TestTool.repository.appending(path: "docs/settings.md"), encoding: .utf8)
        let rows = page.split(separator: "\n").filter { $0.hasPrefix("| `KEYWARD_") }
        for setting in Setting.allCases {
            let flag = setting.flag.map { "`\($0)`" } ?? "none"
            let defaultText = setting.defaultValue.map { "`\($0)`" } ?? setting.unset ?? "none"
            let row = "| `\(setting.environment)` | \(flag) | \(defaultText) | \(setting.accepts) | "
            #expect(rows.contains { $0.hasPrefix(row) }, "missing: \(row)")
        }
        #expect(rows.count == Setting.allCases.count)
    }

    @Test("no two settings share a name or a flag")
    func unique() {
        #expect(Set(Setting.allCases.map(\.name)).count == Setting.allCases.count)
        #expect(Set(Self.flags.map(\.flag)).count == Self.flags.count)
    }

    @Test("the help of serve has each flag with its variable and default", arguments: flags)
    func help(_ setting: Setting) throws {
        let help = SettingsOptions.helpMessage(columns: 100_000)
        let flag = try #require(setting.flag)
        #expect(help.contains("  \(flag) ") && help.contains(setting.flagHelp().abstract))
        #expect(setting.flagHelp().abstract.contains("(\(setting.environment)"))
    }

    @Test("each flag sets its own setting", arguments: flags)
    func parsed(_ setting: Setting) throws {
        let flag = try #require(setting.flag)
        func values(_ arguments: [String]) throws -> [Setting: String] {
            try SettingsOptions.parse(arguments).values
        }
        #expect(try values([]).isEmpty)
        switch setting.accepts {
        case .list: #expect(try values([flag, "a", flag, "b"]) == [setting: "a,b"])
        case .boolean where setting.defaultValue == "false": #expect(try values([flag]) == [setting: "true"])
        default: #expect(try values([flag, "a"]) == [setting: "a"])
        }
    }

    @Test("the defaults are valid, and equal those of the configurations")
    func defaults() throws {
        let settings = try Settings(SettingsSource(flags: [:], environment: [:], file: nil))
        let gateway = GatewayConfiguration(routes: [])
        #expect("\(settings.gateway.timeouts)" == "\(gateway.timeouts)")
        #expect("\(settings.gateway.limits)" == "\(gateway.limits)")
        #expect(settings.gateway.credentials == gateway.credentials)
        #expect(settings.gateway.host == gateway.host && settings.gateway.port == gateway.port)
        #expect(settings.gateway.limitFields == gateway.limitFields && settings.limits == LimitOptions())
        #expect(settings.connections == ConnectionLimits())
        #expect(settings.requestLog.mode == .on && settings.requestLog.retention == RequestLogRetention())
        #expect(settings.requestLog.buffer == 64 << 20 && settings.requestLog.ratio == 1)
    }

    @Test("values of the request log are read from a file, and invalid ones are refused with the setting's name")
    func requestLog() throws {
        func settings(_ values: [String: String]) throws -> RequestLogSettings {
            try Settings(SettingsSource(flags: [:], environment: values, file: nil)).requestLog
        }
        let all = try settings([
            "KEYWARD_REQUEST_LOG": "off", "KEYWARD_REQUEST_LOG_DAYS": "0", "KEYWARD_REQUEST_LOG_BYTES": "0",
            "KEYWARD_REQUEST_LOG_SAMPLE": "0.25", "KEYWARD_REQUEST_LOG_SKIP": "GET /health, * /static/**",
            "KEYWARD_REQUEST_LOG_QUERY": "names", "KEYWARD_REQUEST_LOG_ADDRESS": "network",
            "KEYWARD_REQUEST_LOG_WRITERS": "4",
        ])
        #expect(all.mode == .off && all.retention == RequestLogRetention(days: 0, bytes: 0) && all.accessLog == nil)
        #expect(try settings(["KEYWARD_ACCESS_LOG": "-"]).accessLog == .standardOutput)
        #expect(try settings(["KEYWARD_ACCESS_LOG": "/a"]).accessLog == .file("/a"))
        #expect(all.ratio == 0.25 && all.privacy.queries == .names && all.privacy.addresses == .network)
        #expect(all.writers == 4)
        for (name, text) in [
            ("", "yes"), ("_DAYS", "-1"), ("_BYTES", "1MB"), ("_SAMPLE", "1.01"), ("_SAMPLE", "nan"), ("_SKIP", "GET"),
            ("_SKIP", "GET health"), ("_SKIP", "G/T /health"), ("_SKIP", "GET /a,,GET /b"), ("_QUERY", "all"),
            ("_ADDRESS", "some"), ("_WRITERS", "5"),
        ] {
            let error = #expect(throws: SettingsError.self) { try settings(["KEYWARD_REQUEST_LOG\(name)": text]) }
            #expect("\(error.map { "\($0)" } ?? "")".hasPrefix("KEYWARD_REQUEST_LOG\(name) "))
        }
        let folder = try TestFolder.make("settings")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data("{\"request_log_sample\": 0.5, \"request_log_days\": 3}".utf8).write(
            to: URL(filePath: folder + "/file"))
        let file = try Settings(SettingsSource(flags: [:], environment: [:], file: folder + "/file")).requestLog
        #expect(file.ratio == 0.5 && file.retention.days == 3)
    }

    @Test(
        "a number or a duration at a limit is accepted, and one beyond it is refused",
        arguments: [
            (Setting.maxHeadBytes, ["1024", "1048576"], ["1023", "1048577", "x", ""]),
            (Setting.maxTunnels, ["1", "65536"], ["0", "65537"]),
            (Setting.usageInterval, ["1s", "60s", "1m"], ["0", "999ms", "61s", "60"]),
            (Setting.reconcileInterval, ["1s", "24h", "1d"], ["0", "25h"]),
            (
                Setting.requestLogBytes, ["0", "100MB", "20GB", "20gib", "1000TB"],
                ["99MB", "-1", "1PB", "1.5GB", "GB", "1 GB"]
            ),
            (
                Setting.requestLogBuffer, ["1MiB", "1048576", "1048576B", "16GiB"],
                ["0", "1MB", "17GiB", "99999999999999999999"]
            ),
            (Setting.maxStaleness, ["0", "10s"], ["10"]), (Setting.connectTimeout, ["1ms"], ["0", "0s", "1"]),
        ])
    func limits(_ setting: Setting, _ accepted: [String], _ refused: [String]) {
        func isAccepted(_ text: String) -> Bool {
            setting.accepts.number(text) != nil || setting.accepts.duration(text) != nil
        }
        for text in accepted { #expect(isAccepted(text), "\(text)") }
        for text in refused { #expect(!isAccepted(text), "\(text)") }
    }
}
