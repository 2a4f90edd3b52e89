/// The limits of a request whose caller names some: those of its key, and those that the caller defines itself.
enum AskedLimits {
    /// Calls `body` with the limits of a key (`LimitBytes`), and with those that the request defines, which replace
    /// limits of the same name. Calls it with nil if the request names a limit that does not exist.
    /// - Parameters:
    ///   - own: the key's own limits; nil if it has none.
    ///   - isDefined: returns true for the name of a limit of the key's plan or of its owner.
    @inline(__always)
    static func withLimits<R>(
        of own: UnsafeRawBufferPointer?, for spending: Spending, isDefined: ([UInt8]) -> Bool,
        _ body: (UnsafeRawBufferPointer?) -> R
    ) -> R {
        let none: StaticString = "\0"
        let own = own ?? UnsafeRawBufferPointer(start: none.utf8Start, count: 1)
        return spending.asked.isEmpty ? body(own) : withAsked(own, spending.asked, isDefined, body)
    }

    @inline(never)
    private static func withAsked<R>(
        _ own: UnsafeRawBufferPointer, _ asked: [Spending.Asked], _ isDefined: ([UInt8]) -> Bool,
        _ body: (UnsafeRawBufferPointer?) -> R
    ) -> R {
        let defined = asked.compactMap(\.definition)
        let isKnown = asked.allSatisfy { limit in
            limit.definition != nil || names(limit.name, in: own) || isDefined(limit.name)
        }
        guard isKnown else { return body(nil) }
        if defined.isEmpty { return body(own) }
        var limits: [UInt8] = []
        LimitBytes.append(defined, areCallers: true, to: &limits) { _ in false }
        var start = 1
        LimitBytes.forEach(in: own) { limit in
            let bytes = own[start..<start + limit.size]
            start += limit.size
            guard !defined.contains(where: { limit.name.elementsEqual($0.name.utf8) }) else { return }
            limits += bytes
            limits[0] += 1
        }
        return limits.withUnsafeBytes { body($0) }
    }

    private static func names(_ name: [UInt8], in limits: UnsafeRawBufferPointer) -> Bool {
        var isNamed = false
        LimitBytes.forEach(in: limits) { isNamed = isNamed || $0.name.elementsEqual(name) }
        return isNamed
    }
}
