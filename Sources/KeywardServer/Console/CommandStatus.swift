/// The exit statuses of the commands. 0 is success.
enum CommandStatus: Int32 {
    /// The command failed for a reason that has no status of its own.
    case failure = 1
    /// The command line is wrong.
    case usage = 2
    /// The control listener knows no such key, admin key or request.
    case notFound = 3
    /// The control listener refused the request because of the admin key, its permissions, or the request itself.
    case refused = 4
    /// The control listener cannot be reached, or cannot use its database. Nothing was changed.
    case unreachable = 5
    /// The key that `keyward verify` asked about grants no access.
    case keyNotValid = 6
    /// The reader of standard output closed it. The value is 128 plus SIGPIPE, as shells report it for other programs.
    case brokenPipe = 141
}

/// The reason why a command failed, in one line, and its exit status.
struct CommandError: Error, CustomStringConvertible {
    let description: String
    let status: CommandStatus

    init(_ status: CommandStatus, _ description: String) {
        self.status = status
        self.description = description
    }
}
