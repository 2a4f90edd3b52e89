/// HTTP methods in rules (RFC 9110 section 9.1). GET covers HEAD too, which is GET without the content.
enum MethodName {
    static let lengthLimit = 32

    /// Returns the method in capitals; nil if it is not a token. Methods are case-sensitive, and none in use has small
    /// letters.
    static func checked(_ raw: String) -> String? {
        guard raw.utf8.count <= lengthLimit else { return nil }
        let name = raw.uppercased()
        let isToken = name.utf8.allSatisfy { (0x41...0x5A).contains($0) || $0 == 0x2D }
        return (1...lengthLimit).contains(name.utf8.count) && isToken ? name : nil
    }

    /// The methods of the IANA registry of HTTP methods (RFC 9110 section 16.1.1), and PURGE, which caches have.
    private static let known: Set<[UInt8]> = Set(
        """
        ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD LABEL LINK LOCK MERGE MKACTIVITY MKCALENDAR \
        MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH POST PRI PROPFIND PROPPATCH PURGE PUT QUERY REBIND \
        REPORT SEARCH TRACE UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL
        """.utf8.split(separator: UInt8(ascii: " ")).map { Array($0) })

    /// Returns true if the method differs from a known one in case alone. Methods are case-sensitive (RFC 9110 section
    /// 9.1), so no rule for the known one would apply. But some servers execute the known one.
    static func isMiscased(_ method: UnsafeRawBufferPointer) -> Bool {
        guard method.count <= lengthLimit, method.contains(where: isSmallLetter) else { return false }
        return known.contains(capitals(of: method))
    }

    /// Returns true if the method differs from a rule's in case alone.
    static func isMiscased(_ method: UnsafeRawBufferPointer, from rule: [UInt8]) -> Bool {
        method.count == rule.count && method.contains(where: isSmallLetter) && capitals(of: method) == rule
    }

    private static func capitals(of method: UnsafeRawBufferPointer) -> [UInt8] {
        method.map { isSmallLetter($0) ? $0 ^ 0x20 : $0 }
    }

    private static func isSmallLetter(_ byte: UInt8) -> Bool { byte &- 0x61 <= 25 }

    static func covers(_ rule: UnsafeRawBufferPointer, _ method: UnsafeRawBufferPointer) -> Bool {
        isSame(rule, method) || rule.elementsEqual("GET".utf8) && method.elementsEqual("HEAD".utf8)
    }

    /// Compares like `elementsEqual`, which the compiler does not inline into the loop around it.
    private static func isSame(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Bool {
        guard one.count == other.count else { return false }
        for index in 0..<one.count where one[index] != other[index] { return false }
        return true
    }
}
