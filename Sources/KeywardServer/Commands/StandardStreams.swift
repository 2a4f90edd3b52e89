import Glibc

/// The three descriptors that a process begins with.
enum StandardStreams {
    /// Prepares them for a command.
    ///
    /// A reader that goes away is an error of the write, and does not end the process silently. The number of a stream that the
    /// caller closed is taken by a file that fails that stream's use: the next file or socket would get the number otherwise, and
    /// with it a secret that is printed.
    static func prepare() {
        signal(SIGPIPE, SIG_IGN)
        for (descriptor, mode) in [(STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_RDWR)]
        where fcntl(descriptor, F_GETFD) == -1 {
            // The lowest number that is free is this one.
            _ = open("/dev/null", mode)
        }
    }
}
