/// Methods of HTTP in rules (RFC 9110 section 9.1). GET means HEAD too, which asks for nothing else.
enum MethodName {
    static let lengthLimit = 32

    /// A token, in capitals: methods are told apart by case, and none in use has small letters.
    static func checked(_ raw: String) -> String? {
        let name = raw.uppercased()
        let isToken = name.utf8.allSatisfy { (0x41...0x5A).contains($0) || $0 == 0x2D }
        return (1...lengthLimit).contains(name.utf8.count) && isToken ? name : nil
    }

    static func covers(_ rule: UnsafeRawBufferPointer, _ method: UnsafeRawBufferPointer) -> Bool {
        isSame(rule, method) || rule.elementsEqual("GET".utf8) && method.elementsEqual("HEAD".utf8)
    }

    /// `elementsEqual`, which the compiler does not make one piece with the loop around it.
    private static func isSame(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Bool {
        guard one.count == other.count else { return false }
        for place in 0..<one.count where one[place] != other[place] { return false }
        return true
    }
}
