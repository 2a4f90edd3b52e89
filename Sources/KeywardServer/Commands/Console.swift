import ArgumentParser
import Glibc
import NIOCore

/// The terminal.
enum Console {
    /// A line on standard output, at once.
    static func out(_ line: String) {
        write(line + "\n", to: STDOUT_FILENO)
    }

    /// A line on standard error.
    static func error(_ line: String) {
        write(line + "\n", to: STDERR_FILENO)
    }

    /// Whether there is somebody who can answer.
    static var isInteractive: Bool { isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1 }

    /// Asks a question that only `y` or `yes` agrees to.
    static func confirms(_ question: String) -> Bool {
        error("\(question) [y/N]")
        return ["y", "yes"].contains(readLine()?.lowercased())
    }

    /// In the place of what was shown before, where there is a terminal.
    static func progress(_ text: String) {
        write("\r\u{1B}[K" + text, to: STDERR_FILENO)
    }

    static var hasTerminal: Bool { isatty(STDERR_FILENO) == 1 }

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

    private static func write(_ text: String, to descriptor: Int32) {
        _ = write(Array(text.utf8), to: descriptor)
    }

    /// Writes what came, all of it.
    static func write(_ piece: ByteBuffer, to descriptor: Int32, what: String) throws(StartError) {
        guard write(piece.readableBytesView, to: descriptor) else {
            throw StartError("the \(what) cannot be written: \(String(cString: strerror(errno)))")
        }
    }

    /// False when not all could be written.
    private static func write(_ bytes: some Collection<UInt8>, to descriptor: Int32) -> Bool {
        let bytes = ContiguousArray(bytes)
        var offset = 0
        while offset < bytes.count {
            let written = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress?.advanced(by: offset), bytes.count - offset)
            }
            guard written > 0 else { return false }
            offset += written
        }
        return true
    }
}
