/// What a header field is to the gateway, told by its name.
enum FieldKind: UInt8 {
    /// Passes as it is.
    case other
    case host, contentLength, transferEncoding, connection
    /// Means one connection only and never crosses (RFC 9110 section 7.6.1); no more is read from it.
    case hopByHop
    /// Of one connection too, but read: `TE` and `Upgrade`.
    case te, upgrade
    case authorization, xAPIKey
    case origin, accessControlRequestMethod
    /// Reads like a field that only Keyward may send to the upstream (`X-Keyward-*`, `X-Forwarded-*`, `Forwarded`, `X-Real-IP`),
    /// or like one in which some servers believe another path or method than the request's, which were judged; in any case,
    /// with any other punctuation for `-`.
    case reserved
    /// Of those, what a trusted proxy says of its client, spelled as it has to be.
    case forwardedFor, forwardedProto, forwardedHost
    /// Reads like `X-Request-Id`, likewise; Keyward's own replaces it in both directions.
    case requestID

    @inline(__always)
    init(_ name: UnsafeRawBufferPointer) {
        self = .other
        guard let first = name.first else { return }
        switch first | 0x20 {
        case 0x61:  // a
            if name.equals("authorization") { self = .authorization }
            if name.equals("access-control-request-method") { self = .accessControlRequestMethod }
        case 0x63:  // c
            if name.equals("connection") { self = .connection }
            if name.equals("content-length") { self = .contentLength }
        case 0x66:  // f
            if name.equals("forwarded") { self = .reserved }
        case 0x68:  // h
            if name.equals("host") { self = .host }
        case 0x6B:  // k
            if name.equals("keep-alive") { self = .hopByHop }
        case 0x6F:  // o
            if name.equals("origin") { self = .origin }
        case 0x70:  // p
            if name.equals("proxy-connection") || name.equals("proxy-authorization")
                || name.equals("proxy-authenticate")
            {
                self = .hopByHop
            }
        case 0x74:  // t
            if name.equals("transfer-encoding") { self = .transferEncoding }
            if name.equals("te") { self = .te }
        case 0x75:  // u
            if name.equals("upgrade") { self = .upgrade }
        case 0x78:  // x
            if name.equals("x-api-key") {
                self = .xAPIKey
            } else if name.equals("x-forwarded-for") {
                self = .forwardedFor
            } else if name.equals("x-forwarded-proto") {
                self = .forwardedProto
            } else if name.equals("x-forwarded-host") {
                self = .forwardedHost
            } else if name.beginsLoosely(with: "x-keyward-") || name.beginsLoosely(with: "x-forwarded-")
                || name.equalsLoosely("x-real-ip") || name.overridesRequest
            {
                self = .reserved
            } else if name.equalsLoosely("x-request-id") {
                self = .requestID
            }
        default: break
        }
    }

    /// Whether naming such a field in `Connection` takes it off. What frames and addresses a message stays, whatever a sender
    /// names there; and what makes a preflight one, since that passes without a key.
    @inline(__always)
    var canBeNamedInConnection: Bool {
        switch self {
        case .host, .contentLength, .transferEncoding, .origin, .accessControlRequestMethod: false
        default: true
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Whether servers are known that take a path, a host or a method from a field of this name, which begins with `x`: IIS and
    /// what reads its fields (Symfony, Zend), and frameworks that let forms have other methods.
    fileprivate var overridesRequest: Bool {
        equalsLoosely("x-original-url") || equalsLoosely("x-original-uri") || equalsLoosely("x-original-path")
            || equalsLoosely("x-original-host") || equalsLoosely("x-original-method")
            || equalsLoosely("x-rewrite-url") || equalsLoosely("x-rewrite-uri") || equalsLoosely("x-override-url")
            || equalsLoosely("x-http-method") || equalsLoosely("x-http-method-override")
            || equalsLoosely("x-method-override")
    }
}
