import Glibc

/// The three standard descriptors of a process.
enum StandardStreams {
    /// Prepares the descriptors for a command.
    ///
    /// Ignores SIGPIPE, so that a closed reader fails the write instead of ending the process silently. Opens
    /// `/dev/null` for each stream that the caller closed, in a mode in which its use fails. Otherwise the next file or
    /// socket would get the number of the stream, and with it any secret that a command prints.
    static func prepare() {
        signal(SIGPIPE, SIG_IGN)
        for (descriptor, mode) in [(STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_RDWR)]
        where fcntl(descriptor, F_GETFD) == -1 {
            // `open` returns the lowest free number, which is this one.
            _ = open("/dev/null", mode)
        }
    }
}
