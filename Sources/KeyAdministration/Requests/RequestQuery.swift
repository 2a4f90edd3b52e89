public import AuthKeys
public import HTTPCredentials
public import RequestLog

/// The filter and start of a list of requests, newest first.
public struct RequestQuery: Sendable, Equatable {
    /// The maximum number of lines.
    public var limit: Int
    /// The last line of the previous page, or the time down to which that page searched.
    public var after: RequestCursor?
    /// The first moment, inclusive.
    public var since: Timestamp?
    /// The last moment, exclusive.
    public var until: Timestamp?
    public var keyID: KeyID?
    public var owner: OwnerFilter?
    public var requestID: RequestID?
    public var status: StatusRange?
    public var outcome: RequestOutcome?
    public var code: String?
    public var method: String?
    /// The beginning of the path.
    public var pathPrefix: String?
    public var address: IPNetwork?
    /// The shortest duration, in milliseconds.
    public var minimumMilliseconds: Int64?
    public var surface: RequestSurface?
    /// The name of the instance that served the request.
    public var instance: String?

    public init(limit: Int = 100) {
        self.limit = limit
    }

    /// The query without its position and its bounds of time.
    public var filter: RequestQuery {
        var filter = RequestQuery(limit: 0)
        filter.keyID = keyID
        filter.owner = owner
        filter.requestID = requestID
        filter.status = status
        filter.outcome = outcome
        filter.code = code
        filter.method = method
        filter.pathPrefix = pathPrefix
        filter.address = address
        filter.minimumMilliseconds = minimumMilliseconds
        filter.surface = surface
        filter.instance = instance
        return filter
    }
}

/// A status, or all of a class such as `4xx`.
public struct StatusRange: Sendable, Equatable {
    public static let rule = "a status such as 200 or 429, or a class from 1xx to 5xx"

    public let lowest: Int16
    public let highest: Int16

    /// Reads `429` or `4xx`; nil for anything else. The status of a request without a response is `0`.
    public init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8.prefix(4))
        guard let first = bytes.first else { return nil }
        if bytes == [0x30] {
            (lowest, highest) = (0, 0)
            return
        }
        guard bytes.count == 3, (0x31...0x35).contains(first) else { return nil }
        let start = Int16(first - 0x30) * 100
        if bytes[1] | 0x20 == UInt8(ascii: "x"), bytes[2] | 0x20 == UInt8(ascii: "x") {
            (lowest, highest) = (start, start + 99)
            return
        }
        guard bytes.dropFirst().allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        lowest = start + Int16(bytes[1] - 0x30) * 10 + Int16(bytes[2] - 0x30)
        highest = lowest
    }

    public func contains(_ status: Int16) -> Bool { lowest <= status && status <= highest }
}

/// A position in a list of requests. Opaque to callers, as `ListCursor` is.
public struct RequestCursor: Sendable, Hashable {
    public let at: Timestamp
    public let id: RequestID

    /// The position right after a line, in the direction of the list.
    public init(at: Timestamp, id: RequestID) {
        self.at = at
        self.id = id
    }

    public init(after line: LoggedRequest) {
        self.init(at: line.at, id: line.id)
    }

    /// The position before all lines of a time, in a list that is newest first: no identifier is less than this one.
    public init(before moment: Timestamp) {
        self.init(at: moment, id: RequestID(high: 0, low: 0))
    }

    public var encoded: String {
        CheckedText.encode(bigEndian(at.microseconds) + bigEndian(id.high) + bigEndian(id.low))
    }

    public init?(encoded: some StringProtocol) {
        guard let bytes = CheckedText.decode(encoded), bytes.count == 24 else { return nil }
        let words = bytes.withUnsafeBytes { bytes in
            [0, 8, 16].map { UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: $0, as: UInt64.self)) }
        }
        self.init(
            at: Timestamp(microseconds: Int64(bitPattern: words[0])), id: RequestID(high: words[1], low: words[2]))
        guard at.isRepresentable else { return nil }
    }
}
