import HTTPCredentials
import NIOCore

/// A request's head, parsed once and strictly: the ranges of its parts, and their meaning to a gateway.
///
/// It holds ranges, not bytes. The memory is reused for the next request.
struct RequestHead {
    /// The methods that a gateway treats specially; `other` stands for the rest.
    enum Method: Equatable {
        case get, head, options, connect, trace
        /// PUT and DELETE, which may be repeated (RFC 9110 section 9.2.2).
        case repeatable
        case other
    }

    /// No registered method has more than 17 characters.
    private static let methodLimit = 32

    private(set) var fields = FieldLines()
    private(set) var message = MessageFields()
    private(set) var method = Method.other
    private(set) var methodText = 0..<0
    /// Path and query, or `*`. Empty for an absolute form without a path.
    private(set) var path = 0..<0
    /// The addressed authority: that of a target in absolute form, otherwise `Host`; nil without either.
    private(set) var authority: Range<Int>?
    private(set) var version = HTTPVersion.http11
    private(set) var framing = Framing.none
    private(set) var hasOrigin = false
    /// True if the client accepts trailers (`TE: trailers`, RFC 9110 section 10.1.4).
    private(set) var takesTrailers = false
    private var namesWebSocket = false
    private var hasHost = false
    private var asksForMethod = false
    /// True if one of the two fields that define a preflight is empty or duplicated.
    private var asksUnclearly = false

    /// True if the connection can carry another request of the client.
    var persists: Bool { message.persists(version) }

    /// True if the request may be sent again when the outcome of the first attempt is unknown (RFC 9110 section 9.2.2).
    var isRepeatable: Bool {
        switch method {
        case .get, .head, .options, .trace, .repeatable: true
        case .connect, .other: false
        }
    }

    /// True for a CORS preflight of a browser (Fetch standard, section 3.2.2).
    var isPreflight: Bool { method == .options && hasOrigin && asksForMethod && !asksUnclearly && !hasBody }

    var hasBody: Bool { framing != .none }

    /// True if the client prefers problem details (RFC 9457) to Keyward's own errors. Other values of `Accept` are too
    /// short to name them.
    func prefersProblem(in bytes: ByteBuffer) -> Bool {
        bytes.withUnsafeReadableBytes { bytes in
            var types = AcceptedTypes()
            for field in fields.lines where field.name.count == 6 && bytes.part(field.name).equals("accept") {
                if field.value.count >= ErrorText.problemType.utf8.count { types.add(bytes.part(field.value)) }
            }
            return types.prefersProblem
        }
    }

    /// Returns the value of the first `User-Agent`.
    func userAgent(in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        fields.lines.first { $0.name.count == 10 && bytes.part($0.name).equals("user-agent") }
            .map { bytes.part($0.value) }
    }

    /// True if the client requests an upgrade to WebSocket (RFC 6455 section 4.1). Any other upgrade is ignored, which
    /// RFC 9110 section 7.8 allows. `h2c` in particular must not be passed on, since the gateway could not check the
    /// requests after it.
    var upgrades: Bool {
        namesWebSocket && message.saysUpgrade && method == .get && version == .http11 && !hasBody
    }

    /// Parses a head: all of its bytes, the empty line included.
    mutating func read(_ bytes: UnsafeRawBufferPointer, limits: HeadLimits) throws(HeadError) {
        message = MessageFields()
        authority = nil
        hasOrigin = false
        hasHost = false
        asksForMethod = false
        asksUnclearly = false
        takesTrailers = false
        namesWebSocket = false
        let fieldsStart = try readRequestLine(bytes, limits: limits)
        let isAbsolute = authority != nil
        try fields.read(bytes, from: fieldsStart, limit: limits.fieldCount)
        for field in fields.lines {
            switch field.kind {
            case .host: try takeHost(field, in: bytes, isAbsolute: isAbsolute)
            case .contentLength, .transferEncoding, .connection: try message.take(field, in: bytes)
            case .origin:
                asksUnclearly = asksUnclearly || hasOrigin || field.value.isEmpty
                hasOrigin = true
            case .accessControlRequestMethod:
                asksUnclearly = asksUnclearly || asksForMethod || field.value.isEmpty
                asksForMethod = true
            case .te: takesTrailers = takesTrailers || bytes.lists("trailers", in: field.value)
            case .upgrade: namesWebSocket = namesWebSocket || bytes.lists("websocket", in: field.value)
            default: break
            }
        }
        guard hasHost || version == .http10 else { throw .malformed }
        framing = try bodyFraming()
    }

    private mutating func takeHost(
        _ field: FieldLine, in bytes: UnsafeRawBufferPointer, isAbsolute: Bool
    ) throws(HeadError) {
        guard !hasHost, Authority.isValid(bytes.part(field.value)) else { throw .malformed }
        hasHost = true
        if !isAbsolute { authority = field.value }
    }

    private func bodyFraming() throws(HeadError) -> Framing {
        if message.isChunked {
            guard message.length == nil, version == .http11 else { throw .malformed }
            return .chunked
        }
        return message.length.map { $0 == 0 ? .none : .length($0) } ?? .none
    }

    /// Parses `method SP request-target SP HTTP-version CRLF` (RFC 9112 section 3). Returns the offset of the fields.
    private mutating func readRequestLine(
        _ bytes: UnsafeRawBufferPointer, limits: HeadLimits
    ) throws(HeadError) -> Int {
        var position = 0
        while position < bytes.count, ByteClass.isToken(bytes[position]) { position += 1 }
        methodText = 0..<position
        guard (1...Self.methodLimit).contains(methodText.count), position < bytes.count,
            bytes[position] == ByteClass.space
        else { throw .malformed }
        position += 1
        let targetStart = position
        while position < bytes.count, ByteClass.isTarget(bytes[position]) { position += 1 }
        let target = targetStart..<position
        if position < bytes.count, bytes[position] > ByteClass.space {
            throw .target(TargetFault(byte: bytes[position], offset: target.count))
        }
        guard position + 10 < bytes.count, bytes[position] == ByteClass.space,
            bytes[position + 9] == ByteClass.carriageReturn, bytes[position + 10] == ByteClass.lineFeed
        else { throw .malformed }
        version = try HTTPVersion(bytes.part((position + 1)..<(position + 9)))
        method = Self.method(bytes.part(methodText))
        guard target.count <= limits.targetBytes else { throw .targetTooLong }
        try readTarget(target, in: bytes)
        return position + 11
    }

    /// Parses the four forms of RFC 9112 section 3.2. The absolute form defines the addressed authority, but never the
    /// upstream.
    private mutating func readTarget(
        _ target: Range<Int>, in bytes: UnsafeRawBufferPointer
    ) throws(HeadError) {
        let text = bytes.part(target)
        path = target
        guard let first = text.first else { throw .malformed }
        if method == .connect {
            guard Authority.isValid(text, needsPort: true) else { throw .malformed }
            return
        }
        if first == ByteClass.slash { return }
        if text.count == 1, first == 0x2A {
            guard method == .options else { throw .malformed }
            return
        }
        guard text.begins(with: "http"), let colon = text.firstIndex(of: ByteClass.colon),
            colon == 4 || colon == 5 && text[4] | 0x20 == 0x73, text.count > colon + 3,
            text[colon + 1] == ByteClass.slash,
            text[colon + 2] == ByteClass.slash
        else { throw .malformed }
        var end = target.lowerBound + colon + 3
        let start = end
        while end < target.upperBound, ByteClass.isAuthority(bytes[end]) { end += 1 }
        guard Authority.isValid(bytes.part(start..<end)),
            end == target.upperBound || bytes[end] == ByteClass.slash || bytes[end] == 0x3F
        else { throw .malformed }
        authority = start..<end
        path = end..<target.upperBound
    }

    private static func method(_ name: UnsafeRawBufferPointer) -> Method {
        func matches(_ text: StaticString) -> Bool {
            name.count == text.utf8CodeUnitCount
                && name.elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
        }
        switch name.count {
        case 3: return matches("GET") ? .get : matches("PUT") ? .repeatable : .other
        case 4: return matches("HEAD") ? .head : .other
        case 5: return matches("TRACE") ? .trace : .other
        case 6: return matches("DELETE") ? .repeatable : .other
        case 7: return matches("OPTIONS") ? .options : matches("CONNECT") ? .connect : .other
        default: return .other
        }
    }
}
