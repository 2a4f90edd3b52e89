import NIOCore

/// The first nine bytes of a frame (RFC 9113 section 4.1).
struct HTTP2FrameHeader: Equatable {
    static let size = 9
    /// The maximum payload that a peer may send without another setting (RFC 9113 section 6.5.2).
    static let payloadLimit = 16_384
    /// SETTINGS_HEADER_TABLE_SIZE (RFC 9113 section 6.5.2).
    static let tableSizeSetting: UInt16 = 1

    /// The type of a frame: RFC 9113 section 6, and those that extensions define.
    struct Kind: Equatable {
        let rawValue: UInt8

        static let data = Kind(rawValue: 0)
        static let headers = Kind(rawValue: 1)
        static let reset = Kind(rawValue: 3)
        static let settings = Kind(rawValue: 4)
        static let ping = Kind(rawValue: 6)
        static let goAway = Kind(rawValue: 7)
        static let windowUpdate = Kind(rawValue: 8)
        static let continuation = Kind(rawValue: 9)
    }

    struct Flags: OptionSet {
        let rawValue: UInt8

        static let endStream = Flags(rawValue: 0x01)
        /// For SETTINGS and PING.
        static let acknowledgement = Flags(rawValue: 0x01)
        static let endHeaders = Flags(rawValue: 0x04)
        static let padded = Flags(rawValue: 0x08)
        static let priority = Flags(rawValue: 0x20)
    }

    var length: Int
    var kind: Kind
    var flags: Flags
    var stream: UInt32

    init(_ kind: Kind, flags: Flags = [], stream: UInt32 = 0, length: Int) {
        self.length = length
        self.kind = kind
        self.flags = flags
        self.stream = stream
    }

    /// Reads the header at the front of the bytes without consuming it; nil if it is incomplete.
    init?(peeking bytes: ByteBuffer) {
        let start = bytes.readerIndex
        guard let first = bytes.getInteger(at: start, as: UInt32.self),
            let flags = bytes.getInteger(at: start + 4, as: UInt8.self),
            let stream = bytes.getInteger(at: start + 5, as: UInt32.self)
        else { return nil }
        self.init(
            Kind(rawValue: UInt8(truncatingIfNeeded: first)), flags: Flags(rawValue: flags),
            stream: stream & 0x7FFF_FFFF, length: Int(first >> 8))
    }

    func write(to out: inout ByteBuffer) {
        out.writeMultipleIntegers(
            UInt32(truncatingIfNeeded: length) << 8 | UInt32(kind.rawValue), flags.rawValue, stream)
    }
}

/// An error that ends a connection (RFC 9113 section 5.4.1), with those codes of section 7 that the gateway sends.
enum HTTP2ConnectionError: UInt32, Error {
    case protocolError = 0x1
    case frameSizeError = 0x6
    case compressionError = 0x9
    case enhanceYourCalm = 0xB
}
