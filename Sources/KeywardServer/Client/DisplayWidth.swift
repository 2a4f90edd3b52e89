/// The width of text on a terminal in columns: two for East Asian wide characters and emoji, none for combining marks.
enum DisplayWidth {
    static func of(_ text: String) -> Int {
        text.unicodeScalars.reduce(0) { $0 + width(of: $1) }
    }

    /// Returns the text in at most this many columns. A shortened text ends with `…`.
    static func cut(_ text: String, to limit: Int) -> String {
        guard of(text) > limit else { return text }
        var scalars = String.UnicodeScalarView()
        var total = 1
        for scalar in text.unicodeScalars {
            total += width(of: scalar)
            if total > limit { break }
            scalars.append(scalar)
        }
        return String(scalars) + "…"
    }

    private static func width(of scalar: Unicode.Scalar) -> Int {
        if scalar.isASCII { return 1 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        let isWide = scalar.properties.isEmojiPresentation || wide.contains { $0.contains(scalar.value) }
        return isWide ? 2 : 1
    }

    /// The blocks of wide and fullwidth characters (Unicode Standard Annex #11). The standard library lacks this
    /// property.
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2329...0x232A, 0x2E80...0x303E, 0x3041...0x4DBF, 0x4E00...0xA4CF, 0xA960...0xA97C,
        0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE10...0xFE19, 0xFE30...0xFE6B, 0xFF01...0xFF60, 0xFFE0...0xFFE6,
        0x16FE0...0x18CFF, 0x1AFF0...0x1B2FB, 0x1F200...0x1F265, 0x20000...0x3FFFD,
    ]
}
