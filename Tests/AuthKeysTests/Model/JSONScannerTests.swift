import Testing

@testable import AuthKeys

@Suite("JSON scanner")
struct JSONScannerTests {
    private func defect(_ bytes: [UInt8], _ rules: JSONRules = .received) -> JSONDefect? {
        bytes.withUnsafeBytes { bytes in
            do throws(JSONDefect) {
                try JSONScanner.check(bytes, rules: rules)
                return nil
            } catch {
                return error
            }
        }
    }

    private func defect(_ text: String, _ rules: JSONRules = .received) -> JSONDefect? {
        defect(Array(text.utf8), rules)
    }

    @Test(
        "a repeated member is found with its path",
        arguments: [
            (#"{"a":1,"a":2}"#, [JSONDefect.Step.member("a")]),
            (#" { "a" : "x,\"a\":" , "b" : [ ] , "\u0061" : null } "#, [.member("a")]),
            (#"{"a":{"b":[0,{},{"c":1,"c":1}]}}"#, [.member("a"), .member("b"), .element(2), .member("c")]),
            (#"[[1],{"x":{},"x":[]}]"#, [.element(1), .member("x")]),
            (#"{"":1,"":2}"#, [.member("")]),
            (
                #"{"\"\\\/\b\f\n\r\t":1,"\u0022\u005c/\u0008\u000C\u000a\u000D\u0009":2}"#,
                [.member("\"\\/\u{8}\u{c}\n\r\t")]
            ),
            (#"{"\ud83d\ude00":1,"😀":2}"#, [.member("😀")]),
            ("{\"\u{e9}\":1,\"e\u{301}\":2}", [.member("e\u{301}")]),
        ])
    func repeated(_ text: String, _ path: [JSONDefect.Step]) {
        #expect(defect(text) == JSONDefect(kind: .repeatedMember, path: path))
        #expect(defect(text, .kept) == nil)
    }

    @Test(
        "a valid text passes",
        arguments: [
            #"{"a":{"a":{"a":[{"a":1},{"a":2}]}},"b":{"a":1}}"#, #"{"a":"a","b":"a"}"#, #"["a","a",{"a":["a","a"]}]"#,
            #"{"a":1,"A":2}"#, #"{"a":"\\","b":"\"a\":{","c":1}"#, "null", #""a""#, "[]", "{}", " [ ] ", "true", "-0",
            "[0,-1,1.5,1e9,1E+9,12.25e-3,-0.0]", #"["\u0000\ud83d\ude00😀é"]"#, "\t\r\n {\n}\n",
        ])
    func valid(_ text: String) {
        #expect(defect(text) == nil)
    }

    @Test(
        "a text that violates the grammar is refused",
        arguments: [
            "", " ", "}", "]]", ",", "{\"", "{\"a", "{\"a\\", "{\"\\u", "{\"\\u00", "{,,\"a\"}", "{\"a\" \"a\"}",
            "[}{]",
            "\\", "{\"\\ud800\":1}", "[\"\\udc00\"]", "[\"\\ud800\\u0041\"]", "[1,]", "{\"a\":1,}", "[01]", "[1.]",
            "[.5]",
            "[+1]", "[1e]", "[-]", "[0x1]", "nul", "nulll", "True", "NaN", "Infinity", "'a'", "{a:1}", "[\"\t\"]",
            "[\"\\x\"]", "[1]/**/", "[1] 2", "{1:2}", "[\"a\n\"]",
        ])
    func grammar(_ text: String) {
        #expect(defect(text)?.kind == .syntax)
        #expect(defect(text, .kept)?.kind == .syntax)
    }

    @Test(
        "bytes that are not UTF-8 are refused",
        arguments: [
            [0xEF, 0xBB, 0xBF, 0x7B, 0x7D], [0x7B, 0x00, 0x7D, 0x00], [0x00, 0x7B, 0x00, 0x7D],
            [0xFF, 0xFE, 0x7B, 0x00],
            [0x22, 0x80, 0x22], [0x22, 0xC0, 0xAF, 0x22], [0x22, 0xC3, 0x22], [0x22, 0xE0, 0x80, 0xAF, 0x22],
            [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], [0x22, 0xF5, 0x80, 0x80, 0x80, 0x22],
            [0x22, 0xF0, 0x9F, 0x98],
        ] as [[UInt8]])
    func encoding(_ bytes: [UInt8]) {
        #expect([.encoding, .syntax].contains(defect(bytes)?.kind))
        if bytes.first == 0x22 { #expect(defect(bytes)?.kind == .encoding) }
    }

    @Test("a text at each limit passes, beyond it is refused")
    func limits() {
        let rules = JSONRules.received
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(defect(nested(rules.depth)) == nil)
        #expect(defect(nested(rules.depth + 1))?.kind == .depth)
        func elements(_ count: Int) -> String { "[" + Array(repeating: "1", count: count).joined(separator: ",") + "]" }
        #expect(defect(elements(rules.values - 1)) == nil)
        #expect(defect(elements(rules.values))?.kind == .valueCount)
        func member(_ length: Int) -> String { "{\"" + String(repeating: "\\u0061", count: length) + "\":1}" }
        #expect(defect(member(rules.nameLength)) == nil)
        #expect(defect(member(rules.nameLength + 1))?.kind == .nameLength)
        #expect(defect("[" + String(repeating: "1", count: rules.numberLength) + "]") == nil)
        #expect(defect("[" + String(repeating: "1", count: rules.numberLength + 1) + "]")?.kind == .numberLength)
    }

    @Test(
        "a long run of non-starters is refused with its path, escaped or not",
        arguments: ["\u{301}", "\\u0301", "\u{0344}", "\u{0F73}", "\u{1D165}", "\\ud834\\udd65"])
    func nonStarters(_ mark: String) {
        let run = String(repeating: mark, count: StreamSafeText.limit + 1)
        #expect(defect("{\"a\":[\"e\(run)\"]}") == JSONDefect(kind: .nonStarters, path: [.member("a"), .element(0)]))
        #expect(defect("{\"e\(run)\":1}")?.kind == .nonStarters)
        let half = String(repeating: mark, count: StreamSafeText.limit / 2)
        #expect(defect("[\"e\(half)e\(half)\"]") == nil)
        #expect(defect("[\"e\(run)\"]", .kept) == nil)
    }

    @Test("scans of random texts terminate")
    func random() {
        var random = SystemRandomNumberGenerator()
        let letters = Array("{}[],:\"\\au06 1".utf8) + [0xCC, 0x81, 0xE0]
        for _ in 0..<2_000 {
            _ = defect((0..<40).map { _ in letters[Int.random(in: 0..<letters.count, using: &random)] })
        }
    }
}
