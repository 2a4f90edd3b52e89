/// A repeated member of a JSON object.
///
/// Foundation's decoder keeps one of the members of the same name and drops the others silently (RFC 8259 section 4 leaves that to
/// the implementation). A text is therefore searched for them before it is decoded.
public struct JSONRepeat: Equatable, Sendable {
    /// A step from a value to one that it contains.
    public enum Step: Equatable, Sendable {
        case member(String)
        /// Counted from 0.
        case element(Int)
    }

    /// The path to the repeated member; its own name is the last step.
    public let path: [Step]

    /// Returns the first repeated member of any object in a UTF-8 text; nil when there is none.
    ///
    /// The text is read once, and memory is bounded by its size. Escapes in names are resolved. Names are equal when Swift's strings
    /// are, as in the decoder's dictionaries: the same bytes, or canonically equivalent ones (UAX #15). The result for a text that
    /// is not JSON is undefined: the decoder refuses that text.
    public static func first(in text: UnsafeRawBufferPointer) -> JSONRepeat? {
        var scanner = Scanner(text: text)
        return scanner.firstRepeat()
    }

    /// Returns the first repeated member of any object in a text.
    public static func first(in text: String) -> JSONRepeat? {
        var text = text
        return text.withUTF8 { first(in: UnsafeRawBufferPointer($0)) }
    }
}

/// Reads the structure of a JSON text, and the names in it.
private struct Scanner {
    /// An array or object that was opened and not yet closed.
    private struct Level {
        var step: JSONRepeat.Step
        /// Names so far; nil for an array.
        var names: Set<String>?
    }

    let text: UnsafeRawBufferPointer
    private var index = 0
    private var levels: [Level] = []

    init(text: UnsafeRawBufferPointer) {
        self.text = text
    }

    mutating func firstRepeat() -> JSONRepeat? {
        var expectsName = false
        while index < text.count {
            let byte = text[index]
            index += 1
            switch byte {
            case UInt8(ascii: "{"):
                levels.append(Level(step: .member(""), names: []))
                expectsName = true
            case UInt8(ascii: "["):
                levels.append(Level(step: .element(0), names: nil))
                expectsName = false
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                _ = levels.popLast()
                expectsName = false
            case UInt8(ascii: ","):
                guard let last = levels.indices.last else { continue }
                if case .element(let number) = levels[last].step {
                    levels[last].step = .element(number + 1)
                } else {
                    expectsName = true
                }
            case UInt8(ascii: "\""):
                let string = readString()
                guard expectsName, let last = levels.indices.last else { continue }
                expectsName = false
                let name = Self.name(string)
                levels[last].step = .member(name)
                if levels[last].names?.insert(name).inserted == false { return JSONRepeat(path: levels.map(\.step)) }
            default: break
            }
        }
        return nil
    }

    /// Moves behind the quotation mark that ends the string at the index.
    /// - Returns: the bytes between the quotation marks.
    private mutating func readString() -> UnsafeRawBufferPointer {
        let start = index
        while index < text.count {
            switch text[index] {
            case UInt8(ascii: "\\"): index += 2
            case UInt8(ascii: "\""):
                defer { index += 1 }
                return UnsafeRawBufferPointer(rebasing: text[start..<index])
            default: index += 1
            }
        }
        return UnsafeRawBufferPointer(rebasing: text[start...])
    }

    /// Returns the text of a string (RFC 8259 section 7).
    private static func name(_ string: UnsafeRawBufferPointer) -> String {
        guard string.contains(UInt8(ascii: "\\")) else { return String(decoding: string, as: UTF8.self) }
        var units: [UInt16] = []
        var rest = String(decoding: string, as: UTF8.self).utf16[...]
        while let unit = rest.popFirst() {
            guard unit == UInt16(UInt8(ascii: "\\")), let escape = rest.popFirst() else {
                units.append(unit)
                continue
            }
            switch UInt8(truncatingIfNeeded: escape) {
            case UInt8(ascii: "b"): units.append(0x08)
            case UInt8(ascii: "f"): units.append(0x0C)
            case UInt8(ascii: "n"): units.append(0x0A)
            case UInt8(ascii: "r"): units.append(0x0D)
            case UInt8(ascii: "t"): units.append(0x09)
            case UInt8(ascii: "u"):
                units.append(UInt16(String(Substring(rest.prefix(4))), radix: 16) ?? 0xFFFD)
                rest = rest.dropFirst(4)
            default: units.append(escape)
            }
        }
        return String(decoding: units, as: UTF16.self)
    }
}
