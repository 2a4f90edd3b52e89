import AuthKeys

/// The names and values of `application/x-www-form-urlencoded` (URL Standard section 5.1), from a query or a body.
///
/// They are parsed as bytes. A value becomes a string after it is validated as Stream-Safe Text in UTF-8.
struct FormPairs {
    static let mediaType = "application/x-www-form-urlencoded"
    /// The maximum number of pairs in one query or body.
    static let countLimit = 100
    /// The maximum length of a name in bytes.
    static let nameLimit = 200

    struct Pair {
        let name: String
        let value: String
    }

    struct Fault: Error {
        /// The name at fault; nil if the whole text is at fault.
        let name: String?
        let reason: String
    }

    private(set) var pairs: [Pair] = []

    /// - Parameter decodesNames: true if names may be percent-encoded. Names of query parameters must match literally,
    ///   so another encoding is another name.
    init(_ text: some Sequence<UInt8>, decodesNames: Bool) throws(Fault) {
        let bytes = Array(text)
        let pieces = bytes.split(separator: UInt8(ascii: "&"), maxSplits: Self.countLimit)
        guard pieces.count <= Self.countLimit else {
            throw Fault(name: nil, reason: "must have at most \(Self.countLimit) parameters")
        }
        for pair in pieces {
            let equals = pair.firstIndex(of: UInt8(ascii: "="))
            let rawName = pair[..<(equals ?? pair.endIndex)]
            guard rawName.count <= Self.nameLimit * 3,
                let name = decodesNames ? Self.decoded(rawName) : Self.text(Array(rawName)),
                name.utf8.count <= Self.nameLimit
            else {
                throw Fault(
                    name: nil, reason: "must have names of percent-encoded UTF-8 of at most \(Self.nameLimit) bytes")
            }
            let rawValue = equals.map { pair[pair.index(after: $0)...] } ?? pair[pair.endIndex...]
            guard let value = Self.decoded(rawValue) else {
                throw Fault(
                    name: name,
                    reason:
                        "must be percent-encoded UTF-8 with at most \(StreamSafeText.limit) combining characters in a row"
                )
            }
            if !(name.isEmpty && value.isEmpty) { pairs.append(Pair(name: name, value: value)) }
        }
    }

    /// Returns true for the media type of forms, in any case and with any parameters.
    static func isMediaType(_ value: String) -> Bool {
        let type = value.utf8.prefix { $0 != UInt8(ascii: ";") }.filter { $0 != 0x20 && $0 != 0x09 }
        return type.count == mediaType.utf8.count
            && zip(type, mediaType.utf8).allSatisfy { ((0x41...0x5A).contains($0) ? $0 | 0x20 : $0) == $1 }
    }

    /// Decodes percent-encoded bytes, in which a plus sign is a space; nil unless they are Stream-Safe Text in UTF-8.
    private static func decoded(_ bytes: ArraySlice<UInt8>) -> String? {
        decodedBytes(bytes).flatMap(text)
    }

    /// Decodes a segment of a path; nil unless it is Stream-Safe Text in UTF-8.
    static func segment(_ text: some StringProtocol) -> String? {
        decodedBytes(Array(text.utf8)[...], plusIsSpace: false).flatMap(self.text)
    }

    private static func text(_ bytes: [UInt8]) -> String? {
        String(validating: bytes, as: UTF8.self).flatMap { StreamSafeText.contains($0) ? $0 : nil }
    }

    /// Decodes percent-encoded bytes; nil if two digits are missing after a percent sign.
    /// - Parameter plusIsSpace: true in forms and queries, false in paths.
    static func decodedBytes(_ bytes: ArraySlice<UInt8>, plusIsSpace: Bool = true) -> [UInt8]? {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            index += 1
            switch byte {
            case UInt8(ascii: "+") where plusIsSpace: decoded.append(0x20)
            case UInt8(ascii: "%"):
                guard index + 1 < bytes.endIndex, let high = Hex.value(of: bytes[index]),
                    let low = Hex.value(of: bytes[index + 1])
                else { return nil }
                decoded.append(high << 4 | low)
                index += 2
            default: decoded.append(byte)
            }
        }
        return decoded
    }
}
