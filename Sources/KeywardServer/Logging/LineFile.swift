import Glibc

/// An open file of lines that this process appends to, whose disk may become full.
struct LineFile {
    /// The result of a write.
    struct Result: Equatable {
        /// The number of lines that are in the file.
        var written: Int
        /// The number of the other lines.
        var lost: Int
        /// The `errno` of a failure.
        var failure: Int32?
    }

    private static let lineFeed = UInt8(ascii: "\n")

    let descriptor: Int32
    /// True if other parts of the process, or other processes, write through the same descriptor.
    private let isShared: Bool
    /// True if the file may end within a line.
    private var endsWithinLine = false

    init(_ descriptor: Int32, isShared: Bool) {
        self.descriptor = descriptor
        self.isShared = isShared
    }

    /// Appends lines, each of which ends with a line feed. If only the first bytes can be written, the part of the line
    /// that they end in is removed. If that is impossible, the next write begins with a line feed.
    mutating func append(_ lines: [UInt8]) -> Result {
        let begin = endsWithinLine ? [Self.lineFeed] : []
        var count = 0
        let failure = Console.write(begin + lines, to: descriptor, count: &count)
        let head = lines.prefix(max(0, count - begin.count))
        let written = Self.count(head)
        if count > 0 {
            let rest = head.reversed().prefix { $0 != Self.lineFeed }.count
            endsWithinLine = rest > 0 && !removeLast(rest)
        }
        return Result(written: written, lost: Self.count(lines[head.count...]), failure: failure)
    }

    private static func count(_ bytes: ArraySlice<UInt8>) -> Int { bytes.count { $0 == lineFeed } }

    /// Removes the last bytes that were written. Returns false if that is impossible: for a pipe, and if another
    /// process has appended to the file since.
    private func removeLast(_ count: Int) -> Bool {
        // The offset of the descriptor is the end of its last write.
        let end = isShared ? -1 : lseek(descriptor, 0, SEEK_CUR)
        var status = stat()
        guard end >= count, fstat(descriptor, &status) == 0, status.st_size == end else { return false }
        return ftruncate(descriptor, end - off_t(count)) == 0
    }
}
