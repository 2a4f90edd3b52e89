package import Foundation

/// A program of others that the tests run beside Keyward: what scripts/test-tools installs.
package enum TestTool {
    package static let repository = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
        .standardized

    /// Where a program of Debian's is; nil where it is not installed.
    package static func installed(_ name: String) -> String? {
        ["/usr/sbin/", "/usr/bin/", "/bin/", "/usr/local/sbin/", "/usr/local/bin/"].map { $0 + name }
            .first(where: FileManager.default.isExecutableFile)
    }

    /// Where a program of Tests/requirements.txt is; nil where it is not installed.
    package static func required(_ name: String) -> String? {
        let path = repository.appending(path: ".build/tools/bin/\(name)").path
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }

    /// Runs a program of Tests/requirements.txt to its end.
    package static func run(
        _ name: String, _ arguments: [String], environment: [String: String] = [:], folder: String? = nil
    ) async throws -> (status: Int32, output: String, error: String) {
        guard let path = required(name) else { throw TestSupportError("\(name) is not here: run scripts/test-tools") }
        let process = ChildProcess(path, arguments, environment: environment, folder: folder)
        let status = try await process.waitForExit()
        return (status, process.output.text, process.log.text)
    }
}
