import AuthKeys
import HTTPCredentials

/// The line of a request in the access log: a JSON object (RFC 8259) with the members of the request log's API.
public enum AccessLogLine {
    /// Appends a line and its line feed. The line must have been cleaned (`LogPrivacy.clean`).
    /// - Parameters:
    ///   - upstream: the name of the upstream; nil if none was chosen.
    ///   - instance: the name of this instance.
    public static func append(_ line: RequestLine, upstream: String?, instance: String, to bytes: inout [UInt8]) {
        var object = Object()
        object.text("at", line.at.description)
        object.text("request_id", line.id.description)
        if let keyID = line.keyID { object.text("auth_key_id", keyID.description) }
        object.text("owner", line.owner)
        object.text("method", line.method)
        object.text("path", line.path)
        object.text("query", line.query)
        object.raw("status", "\(line.status)")
        if let code = line.code { object.text("code", code) }
        object.text("outcome", line.outcome.name)
        object.raw("duration_ms", milliseconds(line.microseconds))
        if let upstream = line.upstreamMicroseconds { object.raw("upstream_ms", milliseconds(Int64(upstream))) }
        object.raw("bytes_in", "\(line.bytesIn)")
        object.raw("bytes_out", "\(line.bytesOut)")
        if let address = line.address { object.text("client_ip", address.description) }
        object.text("user_agent", line.agent)
        if let upstream { object.text("upstream", upstream) }
        object.text("surface", line.surface.name)
        object.text("instance", instance)
        object.raw("flags", "[\(line.flags.names.map { "\"\($0)\"" }.joined(separator: ","))]")
        object.raw("weight", "\(line.weight)")
        bytes += object.bytes
        bytes += [UInt8(ascii: "}"), 0x0A]
    }

    /// Returns milliseconds with three decimals at most.
    private static func milliseconds(_ microseconds: Int64) -> String {
        let (whole, rest) = max(0, microseconds).quotientAndRemainder(dividingBy: 1_000)
        return rest == 0 ? "\(whole)" : "\(whole).\(String(1_000 + rest).dropFirst())"
    }

    /// A JSON object, written member by member.
    private struct Object {
        private(set) var bytes: [UInt8] = []

        /// Appends a member, unless its text is empty.
        mutating func text(_ name: String, _ text: UnsafeRawBufferPointer) {
            if !text.isEmpty { self.text(name, String(decoding: text, as: UTF8.self)) }
        }

        mutating func text(_ name: String, _ text: String) { raw(name, JSONValue.quoted(text)) }

        mutating func raw(_ name: String, _ value: String) {
            bytes.append(UInt8(ascii: bytes.isEmpty ? "{" : ","))
            bytes += "\"\(name)\":\(value)".utf8
        }
    }
}
