import HTTPCredentials
import NIOCore

/// A writer of the head for the client: the upstream's head, byte for byte, without fields of the upstream's
/// connection.
enum ResponseRewriter {
    /// The method by which the response ends for the client.
    enum Delimiter {
        /// By its fields, or by having no body.
        case itself
        case chunks
        case close
    }

    /// Returns the delimiter of the body for a client of the given version.
    static func delimiter(_ framing: Framing, for version: HTTPVersion) -> Delimiter {
        switch framing {
        case .none, .length: .itself
        case .chunked, .untilClose: version == .http11 ? .chunks : .close
        }
    }

    /// Appends a head.
    /// - Parameters:
    ///   - persists: true if the client's connection continues after it; nil for an interim response.
    ///   - limits: complete field lines.
    ///   - costField: a field that the client does not get.
    static func write(
        _ head: borrowing ResponseHead, bytes: UnsafeRawBufferPointer, id: RequestID, version: HTTPVersion,
        delimiter: Delimiter, persists: Bool?, limits: ByteBuffer? = nil, costField: CostField? = nil,
        to out: inout ByteBuffer
    ) {
        out.reserveCapacity(minimumWritableBytes: bytes.count + 256)
        out.writeStaticString("HTTP/1.1 ")
        out.writeBytes(bytes.part(head.statusText))
        out.writeStaticString("\r\n")
        writeFields(head, bytes: bytes, without: costField, to: &out)
        out.writeStaticString("X-Request-Id: ")
        id.write(to: &out)
        out.writeStaticString("\r\n")
        if let limits, limits.readableBytes > 0 { out.writeImmutableBuffer(limits) }
        if head.isUpgrade { out.writeStaticString("Connection: Upgrade\r\nUpgrade: websocket\r\n") }
        if delimiter == .chunks { out.writeStaticString("Transfer-Encoding: chunked\r\n") }
        switch persists {
        case true where version == .http10: out.writeStaticString("Connection: keep-alive\r\n")
        case false: out.writeStaticString("Connection: close\r\n")
        default: break
        }
        out.writeStaticString("\r\n")
    }

    private static func writeFields(
        _ head: borrowing ResponseHead, bytes: UnsafeRawBufferPointer, without costField: CostField?,
        to out: inout ByteBuffer
    ) {
        guard let first = head.fields.lines.first else { return }
        var run = first.name.lowerBound
        for (index, field) in head.fields.lines.enumerated()
        where !passes(field, head: head, bytes: bytes) || costField?.matches(field, in: bytes) ?? false {
            out.writeBytes(bytes.part(run..<field.name.lowerBound))
            run = head.fields.start(after: index, in: bytes)
        }
        out.writeBytes(bytes.part(run..<(bytes.count - 2)))
    }

    @inline(__always)
    private static func passes(
        _ field: FieldLine, head: borrowing ResponseHead, bytes: UnsafeRawBufferPointer
    ) -> Bool {
        switch field.kind {
        case .connection, .hopByHop, .te, .upgrade, .transferEncoding, .requestID: false
        // RFC 9110 section 8.6 forbids the field in 1xx and 204 responses.
        case .contentLength: head.status >= 200 && head.status != 204
        case .other, .host, .authorization, .xAPIKey, .origin, .accessControlRequestMethod, .reserved, .forwardedFor,
            .forwardedProto, .forwardedHost:
            !head.message.isNamed(field, in: bytes)
        }
    }
}
