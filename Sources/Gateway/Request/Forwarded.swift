import AuthKeys
import HTTPCredentials
import NIOCore

/// The fields that describe the client to the upstream: `X-Forwarded-For`, `-Proto` and `-Host`, in the common form of
/// proxies.
///
/// Keyward writes them itself. If the peer is a trusted proxy, its addresses come first, back to the first invalid one.
/// Its protocol and host are used if they are valid.
struct Forwarded {
    /// The address of the other end of the connection.
    let peer: IPAddress?
    private let proxies: [IPNetwork]
    private let isTrusted: Bool
    private let isSecure: Bool
    /// The lines that are equal for all requests of the connection.
    private let fixed: ByteBuffer

    init(peer: SocketAddress?, isSecure: Bool, trusting proxies: [IPNetwork]) {
        let address = peer?.ipAddress.flatMap { IPAddress($0) }
        self.peer = address
        self.isSecure = isSecure
        self.proxies = proxies
        isTrusted = address.map { address in proxies.contains { $0.contains(address) } } ?? false
        var fixed = ByteBuffer()
        if !isTrusted {
            if let address { fixed.writeString("X-Forwarded-For: \(address)\r\n") }
            fixed.writeString("X-Forwarded-Proto: \(isSecure ? "https" : "http")\r\n")
        }
        self.fixed = fixed
    }

    /// Appends the field lines for a request.
    func write(_ head: borrowing RequestHead, bytes: UnsafeRawBufferPointer, to out: inout ByteBuffer) {
        out.writeImmutableBuffer(fixed)
        var host = head.authority
        if isTrusted { writeTrusted(head, bytes: bytes, host: &host, to: &out) }
        guard let host else { return }
        out.writeStaticString("X-Forwarded-Host: ")
        out.writeBytes(bytes.part(host))
        out.writeStaticString("\r\n")
    }

    private func writeTrusted(
        _ head: borrowing RequestHead, bytes: UnsafeRawBufferPointer, host: inout Range<Int>?, to out: inout ByteBuffer
    ) {
        var proto = isSecure ? "https" : "http"
        for field in head.fields.lines {
            switch field.kind {
            case .forwardedProto:
                if bytes.part(field.value).equals("https") { proto = "https" }
                if bytes.part(field.value).equals("http") { proto = "http" }
            case .forwardedHost:
                let value = bytes.part(field.value)
                if Authority.isValid(value) { host = field.value }
            default: break
            }
        }
        let known = addresses(head, bytes: bytes).nearestFirst.reversed()
        out.writeString("X-Forwarded-For: \(known.map(\.description).joined(separator: ", "))\r\n")
        out.writeString("X-Forwarded-Proto: \(proto)\r\n")
    }

    /// Returns the client's address: the last one before the trusted proxies. Nil if it is unknown.
    func client(_ head: borrowing RequestHead, bytes: UnsafeRawBufferPointer) -> IPAddress? {
        guard isTrusted else { return peer }
        return addresses(head, bytes: bytes).client(before: proxies)
    }

    /// Returns the addresses that a request came through.
    private func addresses(_ head: borrowing RequestHead, bytes: UnsafeRawBufferPointer) -> ForwardedAddresses {
        var values: [Slice<UnsafeRawBufferPointer>] = []
        for field in head.fields.lines where field.kind == .forwardedFor { values.append(bytes[field.value]) }
        return ForwardedAddresses(values, from: peer)
    }
}
