import TestSupport

/// A parsed response.
struct RawResponse {
    var status: Int
    var statusLine: String
    var headers: [(name: String, value: String)]
    /// The head, byte for byte.
    var head: [UInt8]
    var body: [UInt8]
    var isChunked: Bool

    var text: String { String(decoding: body, as: UTF8.self) }

    /// All values of a header, in order.
    subscript(_ name: String) -> [String] {
        headers.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
    }

    /// Returns the first response in the bytes, and its length; nil if it is incomplete.
    static func parse(_ bytes: [UInt8], isClosed: Bool, toHead: Bool) throws -> (RawResponse, Int)? {
        guard let headEnd = bytes.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound else { return nil }
        let head = Array(bytes[..<headEnd])
        var lines = String(decoding: head, as: UTF8.self).components(separator: "\r\n")
        let statusLine = lines.removeFirst()
        guard let status = Int(statusLine.split(separator: " ")[1]) else {
            throw TestSupportError("no status: \(statusLine)")
        }
        let headers = lines.filter { !$0.isEmpty }.map { line in
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            return (name: String(parts[0]), value: parts.count > 1 ? String(parts[1]).trimmingSpaces() : "")
        }
        var response = RawResponse(
            status: status, statusLine: statusLine, headers: headers, head: head, body: [],
            isChunked: headers.contains { $0.name.lowercased() == "transfer-encoding" && $0.value == "chunked" })
        let rest = bytes[headEnd...]
        if toHead || (100..<200).contains(status) || status == 204 || status == 304 { return (response, headEnd) }
        if response.isChunked {
            guard let (body, length) = try Self.dechunk(Array(rest)) else { return nil }
            response.body = body
            return (response, headEnd + length)
        }
        if let length = response["content-length"].first.flatMap({ Int($0) }) {
            guard rest.count >= length else { return nil }
            response.body = Array(rest.prefix(length))
            return (response, headEnd + length)
        }
        guard isClosed else { return nil }
        response.body = Array(rest)
        return (response, bytes.count)
    }

    /// Returns the body of chunks without trailers, and their length in bytes; nil if they are incomplete.
    static func dechunk(_ bytes: [UInt8]) throws -> ([UInt8], Int)? {
        var body: [UInt8] = []
        var position = 0
        while true {
            guard let lineEnd = bytes[position...].firstRange(of: Array("\r\n".utf8)) else { return nil }
            let digits = String(decoding: bytes[position..<lineEnd.lowerBound], as: UTF8.self)
            guard let size = Int(digits, radix: 16) else { throw TestSupportError("no chunk size: \(digits)") }
            position = lineEnd.upperBound
            guard bytes.count >= position + size + 2 else { return nil }
            body += bytes[position..<(position + size)]
            position += size + 2
            if size == 0 { return (body, position) }
        }
    }
}

extension String {
    func components(separator: String) -> [String] {
        var parts: [String] = []
        var rest = self[...]
        while let range = rest.firstRange(of: separator) {
            parts.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        return parts + [String(rest)]
    }

    func trimmingSpaces() -> String {
        var text = self[...]
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
