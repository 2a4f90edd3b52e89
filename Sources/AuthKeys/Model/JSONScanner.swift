/// Checks a JSON text (RFC 8259) as bytes, before any of it becomes a string.
///
/// The time grows linearly with the number of bytes, and the memory with the length of names. A text that passes is
/// UTF-8, follows the grammar to its last byte and keeps the rules. So every later parser reads the same: no other
/// encoding, no choice among members of one name, no leniency.
public struct JSONScanner {
    private let text: UnsafeRawBufferPointer
    private let rules: JSONRules
    private var index = 0
    private var values = 0
    private var path: [JSONDefect.Step] = []

    /// Throws the first defect of a text.
    public static func check(
        _ text: UnsafeRawBufferPointer, rules: JSONRules = .received
    ) throws(JSONDefect) {
        var scanner = JSONScanner(text: text, rules: rules)
        try scanner.scan()
    }

    /// Throws the first defect of a text.
    public static func check(_ text: String, rules: JSONRules = .received) throws(JSONDefect) {
        var text = text
        let defect: JSONDefect? = text.withUTF8 { bytes in
            do throws(JSONDefect) {
                try check(UnsafeRawBufferPointer(bytes), rules: rules)
                return nil
            } catch {
                return error
            }
        }
        if let defect { throw defect }
    }

    private init(text: UnsafeRawBufferPointer, rules: JSONRules) {
        self.text = text
        self.rules = rules
    }

    private mutating func scan() throws(JSONDefect) {
        // Every encoding but UTF-8 has zero bytes in JSON.
        if text.starts(with: [0xEF, 0xBB, 0xBF]) || text.contains(0) { throw defect(.encoding) }
        try value()
        skipSpace()
        guard index == text.count else { throw defect(.syntax) }
    }

    private func defect(_ kind: JSONDefect.Kind) -> JSONDefect { JSONDefect(kind: kind, path: path) }

    /// Returns the byte at the index; nil at the end.
    private var next: UInt8? { index < text.count ? text[index] : nil }

    private mutating func skipSpace() {
        while index < text.count {
            switch text[index] {
            case 0x20, 0x09, 0x0A, 0x0D: index += 1
            default: return
            }
        }
    }

    /// Skips spaces and then the character, if it follows. Returns true if it did.
    private mutating func skip(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard next == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    // MARK: - Values (sections 3 to 5)

    /// Skips spaces and a value.
    private mutating func value() throws(JSONDefect) {
        values += 1
        guard values <= rules.values else { throw defect(.valueCount) }
        skipSpace()
        switch next {
        case UInt8(ascii: "{"): try object()
        case UInt8(ascii: "["): try array()
        case UInt8(ascii: "\""):
            index += 1
            try string()
        case UInt8(ascii: "t"): try literal("true")
        case UInt8(ascii: "f"): try literal("false")
        case UInt8(ascii: "n"): try literal("null")
        default: try number()
        }
    }

    private mutating func object() throws(JSONDefect) {
        index += 1
        try enter(.member(""))
        defer { path.removeLast() }
        if skip("}") { return }
        var names: Set<String> = []
        repeat {
            guard skip("\"") else { throw defect(.syntax) }
            path[path.count - 1] = .member("")
            let name = try name()
            path[path.count - 1] = .member(name)
            guard rules.isLenient || names.insert(name).inserted else { throw defect(.repeatedMember) }
            guard skip(":") else { throw defect(.syntax) }
            try value()
        } while skip(",")
        guard skip("}") else { throw defect(.syntax) }
    }

    private mutating func array() throws(JSONDefect) {
        index += 1
        try enter(.element(0))
        defer { path.removeLast() }
        if skip("]") { return }
        var count = 0
        repeat {
            path[path.count - 1] = .element(count)
            try value()
            count += 1
        } while skip(",")
        guard skip("]") else { throw defect(.syntax) }
    }

    private mutating func enter(_ step: JSONDefect.Step) throws(JSONDefect) {
        guard path.count < rules.depth else { throw JSONDefect(kind: .depth, path: []) }
        path.append(step)
    }

    private mutating func literal(_ word: StaticString) throws(JSONDefect) {
        for offset in 0..<word.utf8CodeUnitCount {
            guard next == word.utf8Start[offset] else { throw defect(.syntax) }
            index += 1
        }
    }

    // MARK: - Numbers (section 6)

    private mutating func number() throws(JSONDefect) {
        let start = index
        if next == UInt8(ascii: "-") { index += 1 }
        if next == UInt8(ascii: "0") { index += 1 } else { try digits() }
        if next == UInt8(ascii: ".") {
            index += 1
            try digits()
        }
        if let byte = next, byte | 0x20 == UInt8(ascii: "e") {
            index += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { index += 1 }
            try digits()
        }
        guard index - start <= rules.numberLength else { throw defect(.numberLength) }
    }

    /// Skips one or more digits.
    private mutating func digits() throws(JSONDefect) {
        let start = index
        while let byte = next, (0x30...0x39).contains(byte) { index += 1 }
        guard index > start else { throw defect(.syntax) }
    }

    // MARK: - Strings (section 7)

    /// Skips a string up to its closing quotation mark.
    private mutating func string() throws(JSONDefect) {
        var run = NonStarterRun()
        while let scalar = try scalar() { try check(scalar, &run) }
    }

    /// Skips a string up to its closing quotation mark.
    /// - Returns: the text, with its escapes resolved.
    private mutating func name() throws(JSONDefect) -> String {
        var run = NonStarterRun()
        var name = String.UnicodeScalarView()
        var length = 0
        while let scalar = try scalar() {
            length += UTF8.width(scalar)
            name.append(scalar)
            guard length <= rules.nameLength else {
                path[path.count - 1] = .member(String(name))
                throw defect(.nameLength)
            }
            if !run.accepts(scalar), !rules.isLenient {
                path[path.count - 1] = .member(String(name))
                throw defect(.nonStarters)
            }
        }
        return String(name)
    }

    private func check(_ scalar: Unicode.Scalar, _ run: inout NonStarterRun) throws(JSONDefect) {
        if !run.accepts(scalar), !rules.isLenient { throw defect(.nonStarters) }
    }

    /// Returns the scalar at the index and skips it; nil for the quotation mark that ends the string.
    private mutating func scalar() throws(JSONDefect) -> Unicode.Scalar? {
        guard let byte = next else { throw defect(.syntax) }
        index += 1
        switch byte {
        case UInt8(ascii: "\""): return nil
        case UInt8(ascii: "\\"): return try escape()
        case 0..<0x20: throw defect(.syntax)
        case 0x20..<0x80: return Unicode.Scalar(byte)
        default: return try multibyte(byte)
        }
    }

    /// Returns the scalar of an escape and skips it.
    private mutating func escape() throws(JSONDefect) -> Unicode.Scalar {
        guard let byte = next else { throw defect(.syntax) }
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): break
        default: throw defect(.syntax)
        }
        let unit = try codeUnit()
        if let scalar = Unicode.Scalar(unit) { return scalar }
        // A lone surrogate is not a character.
        guard unit < 0xDC00, next == UInt8(ascii: "\\") else { throw defect(.syntax) }
        index += 1
        guard next == UInt8(ascii: "u") else { throw defect(.syntax) }
        index += 1
        let low = try codeUnit()
        guard 0xDC00...0xDFFF ~= low,
            let scalar = Unicode.Scalar(0x10000 + UInt32(unit - 0xD800) << 10 + UInt32(low - 0xDC00))
        else { throw defect(.syntax) }
        return scalar
    }

    /// Returns a UTF-16 code unit and skips its four digits.
    private mutating func codeUnit() throws(JSONDefect) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let digit = next.flatMap(Hex.value) else { throw defect(.syntax) }
            unit = unit << 4 | UInt16(digit)
            index += 1
        }
        return unit
    }

    /// Returns the scalar that begins with a byte beyond ASCII and skips it (RFC 3629 section 4).
    private mutating func multibyte(_ first: UInt8) throws(JSONDefect) -> Unicode.Scalar {
        let (count, least): (Int, UInt32)
        switch first {
        case 0xC2...0xDF: (count, least) = (1, 0x80)
        case 0xE0...0xEF: (count, least) = (2, 0x800)
        case 0xF0...0xF4: (count, least) = (3, 0x10000)
        default: throw defect(.encoding)
        }
        var value = UInt32(first) & (0x3F >> UInt32(count))
        for _ in 0..<count {
            guard let byte = next, byte & 0xC0 == 0x80 else { throw defect(.encoding) }
            value = value << 6 | UInt32(byte & 0x3F)
            index += 1
        }
        guard value >= least, let scalar = Unicode.Scalar(value) else { throw defect(.encoding) }
        return scalar
    }
}
