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

    public let queries: Queries
    public let addresses: Addresses
    private let skipped: [Skip]

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
        line.flags.formUnion(LogText.append(line.path, limit: Self.pathLimit, to: &buffer))
        let path = buffer.count
        switch queries {
        case .none: break
        case .names: line.flags.formUnion(appendNames(line.query, to: &buffer))
        case .full: line.flags.formUnion(LogText.append(line.query, limit: Self.queryLimit, to: &buffer))
        }
        let query = buffer.count
        line.flags.formUnion(LogText.append(line.agent, limit: Self.agentLimit, to: &buffer))
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
    private func appendNames(_ query: UnsafeRawBufferPointer, to buffer: inout [UInt8]) -> RequestFlags {
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
        return names.withUnsafeBytes { LogText.append($0, limit: Self.queryLimit, to: &buffer) }
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
