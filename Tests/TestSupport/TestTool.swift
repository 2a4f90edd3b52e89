package import Foundation

/// A third-party program that the tests run beside Keyward, installed by scripts/test-tools.
package enum TestTool {
    package static let repository = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
        .standardized

    /// Returns the path of a Debian program; nil if it is not installed.
    package static func installed(_ name: String) -> String? {
        ["/usr/sbin/", "/usr/bin/", "/bin/", "/usr/local/sbin/", "/usr/local/bin/"].map { $0 + name }
            .first(where: FileManager.default.isExecutableFile)
    }

    /// Returns the path of a program of Tests/requirements.txt; nil if it is not installed.
    package static func required(_ name: String) -> String? {
        let path = repository.appending(path: ".build/tools/bin/\(name)").path
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }

    /// Runs a program of Tests/requirements.txt until it exits.
    package static func run(
        _ name: String, _ arguments: [String], environment: [String: String] = [:], folder: String? = nil
    ) async throws -> (status: Int32, output: String, error: String) {
        guard let path = required(name) else {
            throw TestSupportError("\(name) is not installed: run scripts/test-tools")
        }
        let process = ChildProcess(path, arguments, environment: environment, folder: folder)
        let status = try await process.waitForExit()
        return (status, process.output.text, process.log.text)
    }
}
