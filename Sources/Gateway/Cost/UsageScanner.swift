import NIOCore

/// A scanner that reads the actual cost of a request from the body of its response, as it passes.
///
/// The body is a JSON object, or an event stream (HTML standard, section 9.2) with JSON objects as data, of which the
/// last one with the member counts.
struct UsageScanner {
    /// The type of a body with usage.
    enum Format {
        case json, events
    }

    /// The position in an event stream.
    private enum Line {
        /// Within the first bytes of a line: the number of those that match `data:`.
        case start(Int)
        case data
        case other
    }

    private static let data = Array("data:".utf8)

    private let format: Format
    private var object: UsageObjectScanner
    private var line = Line.start(0)
    /// True after a CR, so that a LF does not end another line.
    private var endedWithReturn = false

    init(_ format: Format, _ member: UsageMember) {
        self.format = format
        object = UsageObjectScanner(member)
    }

    /// The cost that was read so far.
    var cost: Int64? { object.found }

    mutating func scan(_ bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { scan($0) }
    }

    mutating func scan(_ bytes: some Sequence<UInt8>) {
        switch format {
        case .json: object.scan(bytes)
        case .events: for byte in bytes { scanEvents(byte) }
        }
    }

    @inline(__always)
    private mutating func scanEvents(_ byte: UInt8) {
        if byte == ByteClass.lineFeed || byte == ByteClass.carriageReturn { return endLine(byte) }
        endedWithReturn = false
        switch line {
        case .data: object.scan(byte)
        case .start(let count) where byte == Self.data[count]:
            let isData = count + 1 == Self.data.count
            line = isData ? .data : .start(count + 1)
            // Further lines of an event continue its data. Some servers omit the empty line after an event.
            if isData, object.isBetween { object.restart() }
        case .start: line = .other
        case .other: break
        }
    }

    private mutating func endLine(_ byte: UInt8) {
        defer { endedWithReturn = byte == ByteClass.carriageReturn }
        if byte == ByteClass.lineFeed, endedWithReturn { return }
        switch line {
        // An empty line ends an event.
        case .start(0): object.restart()
        // Lines of data are joined by a line feed.
        case .data: object.scan(ByteClass.lineFeed)
        case .start, .other: break
        }
        line = .start(0)
    }
}

extension UsageScanner.Format {
    /// The reason why a body is read or not.
    enum Finding {
        case readable(UsageScanner.Format)
        /// The body is compressed.
        case encoded
        /// The body has another type.
        case none
    }

    /// Returns the format of a response's body by its fields.
    static func find(in head: borrowing ResponseHead, bytes: UnsafeRawBufferPointer) -> Finding {
        var format: UsageScanner.Format?
        var isEncoded = false
        for field in head.fields.lines where field.kind == .other {
            let name = bytes.part(field.name)
            if name.equals("content-type") {
                format = UsageScanner.Format(type: bytes.part(field.value))
            } else if name.equals("content-encoding") {
                isEncoded = isEncoded || !bytes.part(field.value).equals("identity")
            }
        }
        return format.map { isEncoded ? .encoded : .readable($0) } ?? .none
    }

    /// Returns nil for other types. Parameters are ignored.
    private init?(type: UnsafeRawBufferPointer) {
        let end = type.firstIndex { $0 == 0x3B || $0 == ByteClass.space || $0 == ByteClass.tab } ?? type.count
        let name = type.part(0..<end)
        if name.equals("application/json") {
            self = .json
        } else if name.equals("text/event-stream") {
            self = .events
        } else {
            return nil
        }
    }
}
