import ArgumentParser
import Glibc
import NIOCore

/// The standard streams and the terminal.
enum Console {
    static let standardOutput = "standard output"

    /// Writes a line to standard output, without a buffer.
    /// - Throws: an error if the line cannot be written in full.
    static func out(_ line: String) throws(OutputError) {
        try out([line])
    }

    /// Writes lines to standard output, in one write.
    /// - Throws: an error if the lines cannot be written in full.
    static func out(_ lines: [String]) throws(OutputError) {
        let text = lines.map { $0 + "\n" }.joined()
        try write(ByteBuffer(string: text), to: STDOUT_FILENO, named: standardOutput)
    }

    /// Writes a line to standard error. A failure is ignored, because there is no other stream to report it on.
    static func error(_ line: String) {
        _ = write(Array((line + "\n").utf8), to: STDERR_FILENO)
    }

    /// True if a person can answer a question: standard input and standard error are terminals.
    static var isInteractive: Bool { isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1 }

    /// Asks for a line, and turns the terminal's echo off meanwhile. Returns nil at the end of the input.
    static func secret(_ question: String) -> String? {
        var settings = termios()
        guard isInteractive, tcgetattr(STDIN_FILENO, &settings) == 0 else { return readLine() }
        var hidden = settings
        hidden.c_lflag &= ~tcflag_t(ECHO)
        error(question)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden)
        defer { tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings) }
        return readLine()
    }

    /// The number of columns of the terminal at standard output; nil if standard output is not a terminal.
    static var columns: Int? {
        var size = winsize()
        guard isatty(STDOUT_FILENO) == 1, ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0
        else { return nil }
        return Int(size.ws_col)
    }

    /// Asks a question, and returns true for the answers `y` and `yes`.
    static func confirms(_ question: String) -> Bool {
        error("\(question) [y/N]")
        return ["y", "yes"].contains(readLine()?.lowercased())
    }

    /// Replaces the current line of the terminal at standard error.
    static func progress(_ text: String) {
        _ = write(Array(("\r\u{1B}[K" + text).utf8), to: STDERR_FILENO)
    }

    static var hasTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// Runs a command's work. Reports a failure in one line on standard error, with the exit status of its kind.
    /// Reports no line if the reader of standard output closed it.
    static func failing<R>(_ body: () async throws -> R) async throws -> R {
        do {
            return try await body()
        } catch let exit as ExitCode {
            throw exit
        } catch {
            throw ExitCode(report(error).rawValue)
        }
    }

    /// Writes a failure to standard error, and returns the exit status.
    static func report(_ error: any Error) -> CommandStatus {
        if (error as? OutputError)?.isReaderGone == true { return .brokenPipe }
        self.error("keyward: \(error)")
        return (error as? CommandError)?.status ?? .failure
    }

    /// Writes bytes to a descriptor.
    /// - Parameter name: the name of the file, for the error.
    /// - Throws: an error if the bytes cannot be written in full.
    static func write(_ bytes: ByteBuffer, to descriptor: Int32, named name: String) throws(OutputError) {
        if let failure = write(bytes.readableBytesView, to: descriptor) {
            throw OutputError(name, failure)
        }
    }

    /// Waits until the written bytes are on the disk: some file systems report a full disk only then. Does nothing for
    /// a pipe or a terminal.
    static func flush(_ descriptor: Int32, named name: String) throws(OutputError) {
        guard fsync(descriptor) != 0, ![EINVAL, EROFS, ENOTSUP].contains(errno) else { return }
        throw OutputError(name, errno)
    }

    /// Writes all bytes, as below.
    static func write(_ bytes: some Collection<UInt8>, to descriptor: Int32) -> Int32? {
        var count = 0
        return write(bytes, to: descriptor, count: &count)
    }

    /// Writes all bytes, and adds the number of those that were written to `count`. Waits for a slow reader if the
    /// descriptor is non-blocking.
    /// - Returns: nil, or the `errno` of the failure.
    static func write(_ bytes: some Collection<UInt8>, to descriptor: Int32, count: inout Int) -> Int32? {
        let bytes = ContiguousArray(bytes)
        var offset = 0
        defer { count += offset }
        while offset < bytes.count {
            let written = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress?.advanced(by: offset), bytes.count - offset)
            }
            if written > 0 {
                offset += written
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&ready, 1, -1)
            default: return errno
            }
        }
        return nil
    }
}

/// An error for output that could not be written.
struct OutputError: Error, CustomStringConvertible {
    /// The name of the file or stream.
    let name: String
    /// The `errno` of the failure.
    let number: Int32

    init(_ name: String, _ number: Int32) {
        self.name = name
        self.number = number
    }

    var description: String { "\(name) cannot be written: \(String(cString: strerror(number)))" }

    /// True if the reader of standard output closed it, as `head` does after its last line.
    var isReaderGone: Bool { number == EPIPE && name == Console.standardOutput }
}
