import HTTPCredentials
import NIOCore

/// A writer of the head for the upstream: the client's head, byte for byte and in order. It omits the fields that must
/// not be forwarded, and adds Keyward's own.
struct RequestRewriter {
    private let strippedPlaces: CredentialPlaces
    private let basePath: [UInt8]
    private let upstreamAuthority: [UInt8]
    /// True if the response must not be compressed, because its usage is read. No spelling of the client's field
    /// passes then: some servers read `Accept_Encoding` too.
    private let asksForIdentity: Bool

    init(_ configuration: GatewayConfiguration, upstream: Upstream) {
        strippedPlaces = configuration.forwardsCredentials ? [] : configuration.credentials
        basePath = Array(upstream.basePath.utf8)
        upstreamAuthority = Array(upstream.authority.utf8)
        asksForIdentity = configuration.costUsage != nil
    }

    /// Writes a head.
    /// - Parameter identity: complete field lines.
    func write(
        _ head: borrowing RequestHead, bytes: UnsafeRawBufferPointer, id: RequestID, identity: ByteBuffer,
        forwarded: Forwarded, to out: inout ByteBuffer
    ) {
        out.clear(minimumCapacity: bytes.count + basePath.count + identity.readableBytes + 512)
        out.writeBytes(bytes.part(head.methodText))
        out.writeInteger(ByteClass.space)
        writeTarget(head, bytes: bytes, to: &out)
        out.writeStaticString(" HTTP/1.1\r\n")
        if !writeFields(head, bytes: bytes, to: &out) { writeHost(head, bytes: bytes, to: &out) }
        if head.upgrades { out.writeStaticString("Connection: Upgrade\r\nUpgrade: websocket\r\n") }
        if head.takesTrailers && !head.upgrades { out.writeStaticString("Connection: TE\r\nTE: trailers\r\n") }
        if head.framing == .chunked { out.writeStaticString("Transfer-Encoding: chunked\r\n") }
        if asksForIdentity { out.writeStaticString("Accept-Encoding: identity\r\n") }
        out.writeImmutableBuffer(identity)
        out.writeStaticString("X-Request-Id: ")
        id.write(to: &out)
        out.writeStaticString("\r\n")
        forwarded.write(head, bytes: bytes, to: &out)
        out.writeStaticString("\r\n")
    }

    /// Writes the base path, then path and query. An absolute form without a path stands for `/`, or for `*` if the
    /// method is OPTIONS (RFC 9112 section 3.2.4).
    private func writeTarget(_ head: borrowing RequestHead, bytes: UnsafeRawBufferPointer, to out: inout ByteBuffer) {
        let path = bytes.part(head.path)
        if path.isEmpty && head.method == .options || path.first == 0x2A {
            out.writeStaticString("*")
            return
        }
        if !basePath.isEmpty { out.writeBytes(basePath) }
        if path.first != ByteClass.slash { out.writeInteger(ByteClass.slash) }
        out.writeBytes(path)
    }

    /// Copies the fields that pass, in runs as long as possible. Returns true if a `Host` field was among them.
    private func writeFields(
        _ head: borrowing RequestHead, bytes: UnsafeRawBufferPointer, to out: inout ByteBuffer
    ) -> Bool {
        guard let first = head.fields.lines.first else { return false }
        var run = first.name.lowerBound
        var keptHost = false
        for (index, field) in head.fields.lines.enumerated() {
            if passes(field, head: head, bytes: bytes) {
                if field.kind == .host { keptHost = true }
                continue
            }
            out.writeBytes(bytes.part(run..<field.name.lowerBound))
            run = head.fields.start(after: index, in: bytes)
        }
        out.writeBytes(bytes.part(run..<(bytes.count - 2)))
        return keptHost
    }

    @inline(__always)
    private func passes(_ field: FieldLine, head: borrowing RequestHead, bytes: UnsafeRawBufferPointer) -> Bool {
        switch field.kind {
        case .connection, .hopByHop, .te, .upgrade, .transferEncoding, .reserved, .requestID, .forwardedFor,
            .forwardedProto, .forwardedHost:
            return false
        case .host: return head.authority == field.value
        case .authorization where strippedPlaces.contains(.authorization): return false
        case .xAPIKey where strippedPlaces.contains(.xAPIKey): return false
        case .other, .contentLength, .authorization, .xAPIKey, .origin, .accessControlRequestMethod:
            if asksForIdentity, bytes.part(field.name).equalsLoosely("accept-encoding") { return false }
            return !head.message.isNamed(field, in: bytes)
        }
    }

    private func writeHost(_ head: borrowing RequestHead, bytes: UnsafeRawBufferPointer, to out: inout ByteBuffer) {
        out.writeStaticString("Host: ")
        if let authority = head.authority {
            out.writeBytes(bytes.part(authority))
        } else {
            out.writeBytes(upstreamAuthority)
        }
        out.writeStaticString("\r\n")
    }
}
