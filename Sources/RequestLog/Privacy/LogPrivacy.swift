public import AuthKeys

/// The parts of requests that the log keeps. No header and no body is ever kept.
public struct LogPrivacy: Sendable {
    public enum Queries: String, Sendable, CaseIterable {
        /// No query.
        case none
        /// The names, with `…` for each value.
        case names
        /// The whole query.
        case full
    }

    public enum Addresses: String, Sendable, CaseIterable {
        case full
        /// The first 24 bits of an IPv4 address, the first 48 of an IPv6 address.
        case network
        case none
    }

    /// Requests without a line.
    public struct Skip: Sendable, Hashable {
        /// Nil for any method.
        let method: [UInt8]?
        let path: [UInt8]

        /// - Parameter method: the name of a method, or nil for any.
        public init(method: String?, path: PathPattern) {
            self.method = method.map { Array($0.utf8) }
            self.path = Array(path.text.utf8)
        }
    }

    /// The limits of stored texts, in bytes.
    static let pathLimit = 512
    static let queryLimit = 512
    private static let agentLimit = 32
    /// The longest run of letters and digits in the name of a program; a longer one may be a part of a key.
    private static let agentRunLimit = 20
    /// The length of the longest method that is kept; registered ones have at most 17 characters.
    private static let methodLimit = 20
    private static let otherMethod: StaticString = "OTHER"

    public let queries: Queries
    public let addresses: Addresses
    private let skipped: [Skip]
    /// The schemes of imported tokens, whose prefixes reveal a token in a text.
    public var schemes: TokenSchemes?

    public init(queries: Queries = .none, addresses: Addresses = .full, skipping skipped: [Skip] = []) {
        self.queries = queries
        self.addresses = addresses
        self.skipped = skipped
    }

    /// True if requests of that method and path get no line.
    @inline(__always)
    func skips(method: UnsafeRawBufferPointer, path: UnsafeRawBufferPointer) -> Bool {
        !skipped.isEmpty && isSkipped(method, path)
    }

    @inline(never)
    private func isSkipped(_ method: UnsafeRawBufferPointer, _ path: UnsafeRawBufferPointer) -> Bool {
        skipped.contains { skip in
            guard skip.method.map({ $0.elementsEqual(method) }) ?? true else { return false }
            return skip.path.withUnsafeBytes { PathPattern.matches($0, path) }
        }
    }

    /// Calls `body` with the line as it may be kept: texts without secrets, in printable ASCII and within their limits.
    /// - Parameter buffer: memory for the texts, reused between calls.
    public func clean(_ line: RequestLine, using buffer: inout [UInt8], _ body: (RequestLine) throws -> Void) rethrows {
        buffer.removeAll(keepingCapacity: true)
        var line = line
        let text = LogText(
            prefixes: schemes?.all.compactMap { $0.prefix.isEmpty ? nil : Array($0.prefix.utf8) } ?? [])
        let isCut = line.flags.contains(.cut)
        line.flags.formUnion(text.append(line.path, isCut: isCut, limit: Self.pathLimit, to: &buffer))
        let path = buffer.count
        switch queries {
        case .none: break
        case .names: line.flags.formUnion(appendNames(line.query, isCut: isCut, text, to: &buffer))
        case .full:
            line.flags.formUnion(text.append(line.query, isCut: isCut, limit: Self.queryLimit, to: &buffer))
        }
        let query = buffer.count
        if Self.isName(line.agent) {
            line.flags.formUnion(text.append(line.agent, limit: Self.agentLimit, to: &buffer))
        }
        if !Self.isMethod(line.method) {
            line.method = UnsafeRawBufferPointer(
                start: Self.otherMethod.utf8Start, count: Self.otherMethod.utf8CodeUnitCount)
        }
        line.address = line.address.flatMap { address in
            switch addresses {
            case .full: address
            case .network: address.network
            case .none: nil
            }
        }
        try buffer.withUnsafeBytes { buffer in
            line.path = UnsafeRawBufferPointer(rebasing: buffer[..<path])
            line.query = UnsafeRawBufferPointer(rebasing: buffer[path..<query])
            line.agent = UnsafeRawBufferPointer(rebasing: buffer[query...])
            try body(line)
        }
    }

    /// Appends a query with `…` for each value.
    private func appendNames(
        _ query: UnsafeRawBufferPointer, isCut: Bool, _ text: LogText, to buffer: inout [UInt8]
    ) -> RequestFlags {
        var names: [UInt8] = []
        var isValue = false
        for byte in query {
            if byte == UInt8(ascii: "&") { isValue = false }
            guard !isValue else { continue }
            names.append(byte)
            guard byte == UInt8(ascii: "=") else { continue }
            isValue = true
            names += Self.omitted
        }
        return names.withUnsafeBytes { text.append($0, isCut: isCut, limit: Self.queryLimit, to: &buffer) }
    }

    /// True for methods as they are registered: upper-case letters and hyphens.
    private static func isMethod(_ method: UnsafeRawBufferPointer) -> Bool {
        method.count <= methodLimit
            && method.allSatisfy { (0x41...0x5A).contains($0) || $0 == UInt8(ascii: "-") }
    }

    /// True for the name of a program without a part that may be of a key.
    private static func isName(_ agent: UnsafeRawBufferPointer) -> Bool {
        var run = 0
        for byte in agent {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: run += 1
            default: run = 0
            }
            if run > agentRunLimit { return false }
        }
        return true
    }

    /// Stands for a value. ASCII, as the rest of the text.
    private static let omitted = Array("...".utf8)
}

extension IPAddress {
    /// The address without its last 8 bits (IPv4) or its last 80 bits (IPv6).
    fileprivate var network: IPAddress {
        isV4
            ? IPAddress(high: high, low: low & 0xFFFF_FF00, isV4: true)
            : IPAddress(high: high & 0xFFFF_FFFF_FFFF_0000, low: 0, isV4: false)
    }
}
