import ArgumentParser
import Glibc

/// The terminal.
enum Console {
    /// A line on standard output, at once.
    static func out(_ line: String) {
        write(Array((line + "\n").utf8), to: STDOUT_FILENO)
    }

    /// Bytes on standard output, as they are.
    static func out(bytes: [UInt8]) {
        write(bytes, to: STDOUT_FILENO)
    }

    /// A line on standard error.
    static func error(_ line: String) {
        write(Array((line + "\n").utf8), to: STDERR_FILENO)
    }

    /// Runs a command's work; a failure is one line on standard error and exit status 1.
    static func failing<R>(_ body: () async throws -> R) async throws -> R {
        do {
            return try await body()
        } catch let exit as ExitCode {
            throw exit
        } catch {
            self.error("keyward: \(error)")
            throw ExitCode.failure
        }
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var offset = 0
        while offset < bytes.count {
            let written = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress?.advanced(by: offset), bytes.count - offset)
            }
            guard written > 0 else { return }
            offset += written
        }
    }
}
