/// The contents of `postmaster.pid`, which a postmaster writes for `pg_ctl` and other programs.
///
/// The lines are those of `src/include/utils/pidfile.h`: process, data folder, start (seconds since the Unix epoch),
/// port, socket folder, listen address, shared memory key, status. They are written one after another, so that a recent
/// file may be short.
struct PostmasterFile: Sendable, Equatable {
    enum Status: String, Sendable {
        case starting, stopping, ready, standby
    }

    var processID: Int32
    var startTime: Int64
    var port: UInt16?
    var socketFolder: String?
    var status: Status

    init?(_ contents: String) {
        let lines = contents.split(separator: "\n", omittingEmptySubsequences: false)
            .map { line in String(line.reversed().drop { $0 == " " || $0 == "\r" }.reversed()) }
        func line(_ number: Int) -> String? {
            lines.indices.contains(number - 1) && !lines[number - 1].isEmpty ? lines[number - 1] : nil
        }
        // A stand-alone backend (`postgres --single`) writes its process id as a negative number; it accepts no
        // connections.
        guard let processID = line(1).flatMap({ Int32($0) }), processID > 0 else { return nil }
        self.processID = processID
        self.startTime = line(3).flatMap { Int64($0) } ?? 0
        self.port = line(4).flatMap { UInt16($0) }
        self.socketFolder = line(5)
        self.status = line(8).flatMap(Status.init(rawValue:)) ?? .starting
    }

    /// Reads the file of a cluster; `nil` if it is missing or incomplete.
    static func read(cluster: String) -> PostmasterFile? {
        guard let contents = try? Files.read(cluster + "/postmaster.pid", limit: 8192) else { return nil }
        return PostmasterFile(contents)
    }
}
