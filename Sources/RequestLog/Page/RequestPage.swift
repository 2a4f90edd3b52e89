public import AuthKeys
import HTTPCredentials

/// A page of lines, in a compact form, between the event loop that appends them and the writers that read them.
///
/// A page is a value, and is read without a lock. Appending to a page that is not shared allocates nothing after the
/// first line.
public struct RequestPage: Sendable {
    /// The capacity in bytes: some 300 lines of a usual length.
    public static let capacity = 65_536
    /// The limits of texts in bytes. Paths and queries are kept longer than the log stores them, so that a token at
    /// the limit can be recognized.
    static let pathLimit = 1_024
    static let queryLimit = 1_024
    private static let methodLimit = 32
    private static let agentLimit = 64
    private static let codeLimit = 64
    /// An owner has at most 1,600 bytes (`OwnerPath`).
    private static let ownerLimit = 1_600

    private var bytes: [UInt8] = []
    private var used = 0
    /// The number of lines.
    public private(set) var count = 0
    /// The end of the first request, which is the time at which its line was appended.
    public private(set) var began: Timestamp?

    public init() {}

    public var isEmpty: Bool { count == 0 }

    /// Appends a line; returns false if the page lacks the space for it. An empty page has space for every line.
    ///
    /// Longer texts than the limits are cut, and the line is flagged.
    @inline(__always)
    public mutating func append(_ line: RequestLine) -> Bool {
        let (path, query) = (min(line.path.count, Self.pathLimit), min(line.query.count, Self.queryLimit))
        let (method, agent) = (min(line.method.count, Self.methodLimit), min(line.agent.count, Self.agentLimit))
        let owner = min(line.owner.count, Self.ownerLimit)
        let code = min(line.code?.utf8.count ?? 0, Self.codeLimit)
        let length = Layout.fixed + method + path + query + agent + owner + code
        guard used + length <= Self.capacity else { return false }
        if bytes.isEmpty { bytes = [UInt8](repeating: 0, count: Self.capacity) }
        if count == 0 {
            let (end, overflow) = line.at.microseconds.addingReportingOverflow(max(0, line.microseconds))
            began = overflow ? line.at : Timestamp(microseconds: end)
        }
        var flags = line.flags
        if path < line.path.count || query < line.query.count { flags.insert(.cut) }
        bytes.withUnsafeMutableBytes { all in
            let record = UnsafeMutableRawBufferPointer(rebasing: all[used..<(used + length)])
            func store(_ value: some FixedWidthInteger, at offset: Int) {
                record.storeBytes(of: value, toByteOffset: offset, as: type(of: value))
            }
            store(UInt16(length), at: Layout.length)
            store(line.surface.rawValue, at: Layout.surface)
            store(line.outcome.rawValue, at: Layout.outcome)
            store(line.status, at: Layout.status)
            store(flags.rawValue, at: Layout.flags)
            store(line.upstream, at: Layout.upstream)
            store(line.upstreamMicroseconds ?? -1, at: Layout.upstreamMicroseconds)
            store(line.at.microseconds, at: Layout.at)
            store(line.id.high, at: Layout.id)
            store(line.id.low, at: Layout.id + 8)
            store(line.keyID?.high ?? 0, at: Layout.keyID)
            store(line.keyID?.low ?? 0, at: Layout.keyID + 8)
            store(line.microseconds, at: Layout.microseconds)
            store(line.bytesIn, at: Layout.bytesIn)
            store(line.bytesOut, at: Layout.bytesOut)
            store(line.address?.high ?? 0, at: Layout.address)
            store(line.address?.low ?? 0, at: Layout.address + 8)
            store(line.address.map { $0.isV4 ? UInt8(4) : 6 } ?? 0, at: Layout.addressKind)
            store(UInt8(line.keyID == nil ? 0 : 1), at: Layout.hasKey)
            store(UInt8(method), at: Layout.method)
            store(UInt8(agent), at: Layout.agent)
            store(UInt16(path), at: Layout.path)
            store(UInt16(query), at: Layout.query)
            store(UInt16(owner), at: Layout.owner)
            store(UInt8(code), at: Layout.code)
            store(line.weight, at: Layout.weight)
            var end = Layout.fixed
            func copy(_ text: UnsafeRawBufferPointer, _ count: Int) {
                UnsafeMutableRawBufferPointer(rebasing: record[end..<(end + count)])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: text[..<count]))
                end += count
            }
            copy(line.method, method)
            copy(line.path, path)
            copy(line.query, query)
            copy(line.agent, agent)
            copy(line.owner, owner)
            if code > 0, let text = line.code {
                for byte in text.utf8.prefix(code) {
                    record[end] = byte
                    end += 1
                }
            }
        }
        used += length
        count += 1
        return true
    }

    /// Returns the page without the unused part of its memory, for waiting in a queue.
    func compacted() -> RequestPage {
        guard used < bytes.count / 2 else { return self }
        var page = self
        page.bytes = Array(bytes[..<used])
        return page
    }

    /// The memory of the page in bytes.
    var footprint: Int { bytes.count + Self.overhead }
    private static let overhead = 256

    /// Calls `body` with each line, in the order in which they were appended.
    public func forEachLine(_ body: (RequestLine) throws -> Void) rethrows {
        try bytes.withUnsafeBytes { all in
            var start = 0
            while start < used {
                let length = Int(all.loadUnaligned(fromByteOffset: start + Layout.length, as: UInt16.self))
                try body(Self.line(UnsafeRawBufferPointer(rebasing: all[start..<(start + length)])))
                start += length
            }
        }
    }

    private static func line(_ record: UnsafeRawBufferPointer) -> RequestLine {
        func load<Value: FixedWidthInteger & BitwiseCopyable>(_ offset: Int) -> Value {
            record.loadUnaligned(fromByteOffset: offset, as: Value.self)
        }
        var end = Layout.fixed
        func text(_ count: Int) -> UnsafeRawBufferPointer {
            defer { end += count }
            return UnsafeRawBufferPointer(rebasing: record[end..<(end + count)])
        }
        let (high, low): (UInt64, UInt64) = (load(Layout.keyID), load(Layout.keyID + 8))
        var line = RequestLine(
            at: Timestamp(microseconds: load(Layout.at)),
            id: RequestID(high: load(Layout.id), low: load(Layout.id + 8)),
            // The page was written by `append`.
            surface: RequestSurface(rawValue: load(Layout.surface)) ?? .gateway,
            outcome: RequestOutcome(rawValue: load(Layout.outcome)) ?? .failed, status: load(Layout.status),
            keyID: record[Layout.hasKey] == 0 ? nil : KeyID(high: high, low: low))
        line.flags = RequestFlags(rawValue: load(Layout.flags))
        line.weight = load(Layout.weight)
        line.microseconds = load(Layout.microseconds)
        let upstreamMicroseconds: Int32 = load(Layout.upstreamMicroseconds)
        line.upstreamMicroseconds = upstreamMicroseconds < 0 ? nil : upstreamMicroseconds
        (line.bytesIn, line.bytesOut) = (load(Layout.bytesIn), load(Layout.bytesOut))
        line.upstream = load(Layout.upstream)
        let kind = record[Layout.addressKind]
        if kind != 0 {
            line.address = IPAddress(high: load(Layout.address), low: load(Layout.address + 8), isV4: kind == 4)
        }
        line.method = text(Int(record[Layout.method]))
        line.path = text(Int(load(Layout.path) as UInt16))
        line.query = text(Int(load(Layout.query) as UInt16))
        line.agent = text(Int(record[Layout.agent]))
        line.owner = text(Int(load(Layout.owner) as UInt16))
        let code = text(Int(record[Layout.code]))
        line.code = code.isEmpty ? nil : String(decoding: code, as: UTF8.self)
        return line
    }

    /// The offsets of the fixed part of a record, in bytes. The texts follow it: method, path, query, agent, owner,
    /// code.
    private enum Layout {
        static let length = 0
        static let surface = 4
        static let outcome = 5
        static let status = 6
        static let flags = 8
        static let upstream = 10
        static let upstreamMicroseconds = 12
        static let at = 16
        static let id = 24
        static let keyID = 40
        static let microseconds = 56
        static let bytesIn = 64
        static let bytesOut = 72
        static let address = 80
        static let addressKind = 96
        static let hasKey = 97
        static let method = 98
        static let agent = 99
        static let path = 100
        static let query = 102
        static let owner = 104
        static let code = 106
        static let weight = 108
        static let fixed = 112
    }
}
