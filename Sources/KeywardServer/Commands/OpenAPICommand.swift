import ArgumentParser
import ControlAPI
import Glibc
import NIOCore

/// `keyward openapi`.
struct OpenAPICommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "openapi",
        abstract: "Print the OpenAPI 3.1 document that the control listener serves at /openapi.json.")

    func run() async throws {
        try await Console.failing {
            try Console.write(
                ByteBuffer(bytes: OpenAPIDocument.bytes), to: STDOUT_FILENO, named: Console.standardOutput)
        }
    }
}
