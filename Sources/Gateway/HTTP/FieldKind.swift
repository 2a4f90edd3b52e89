/// The category of a header field, determined by its name.
enum FieldKind: UInt8 {
    /// Passes unchanged.
    case other
    case host, contentLength, transferEncoding, connection
    /// Applies to one connection only and is never forwarded (RFC 9110 section 7.6.1). The gateway ignores its value.
    case hopByHop
    /// Applies to one connection only, but the gateway reads its value: `TE` and `Upgrade`.
    case te, upgrade
    case authorization, xAPIKey
    case origin, accessControlRequestMethod
    /// Resembles a field that only Keyward may send to the upstream (`X-Keyward-*`, `X-Forwarded-*`, `Forwarded`,
    /// `X-Real-IP`), or one that overrides the request. Some servers take the path or the method from such a field,
    /// instead of the authorized one. Names match in any case and with any punctuation instead of `-`.
    case reserved
    /// A reserved field in its exact spelling, in which a trusted proxy describes its client.
    case forwardedFor, forwardedProto, forwardedHost
    /// Resembles `X-Request-Id`, by the rules of `reserved`. Keyward's own value replaces it in both directions.
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

    /// True if the field is removed when `Connection` names it. Fields that frame or address a message stay, even if a
    /// sender names them. So do the fields that define a preflight, because a preflight passes without a key.
    @inline(__always)
    var canBeNamedInConnection: Bool {
        switch self {
        case .host, .contentLength, .transferEncoding, .origin, .accessControlRequestMethod: false
        default: true
        }
    }
}

extension UnsafeRawBufferPointer {
    /// True if known servers take a path, a host or a method from a field with this name, which begins with `x`. These
    /// are IIS and frameworks that read its fields (Symfony, Zend), and frameworks that let forms override the method.
    fileprivate var overridesRequest: Bool {
        equalsLoosely("x-original-url") || equalsLoosely("x-original-uri") || equalsLoosely("x-original-path")
            || equalsLoosely("x-original-host") || equalsLoosely("x-original-method")
            || equalsLoosely("x-rewrite-url") || equalsLoosely("x-rewrite-uri") || equalsLoosely("x-override-url")
            || equalsLoosely("x-http-method") || equalsLoosely("x-http-method-override")
            || equalsLoosely("x-method-override")
    }
}
