import Testing

@testable import AuthKeys

@Suite("Repeated members of JSON")
struct JSONRepeatTests {
    @Test(
        "a repeated member is found with its path",
        arguments: [
            (#"{"a":1,"a":2}"#, [JSONRepeat.Step.member("a")]),
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
            ("\u{FEFF}{\"a\":1,\"a\":2}", [.member("a")]),
        ])
    func found(_ text: String, _ path: [JSONRepeat.Step]) {
        #expect(JSONRepeat.first(in: text)?.path == path)
    }

    @Test(
        "the same name in different objects, in strings and in arrays is not a repetition",
        arguments: [
            #"{"a":{"a":{"a":[{"a":1},{"a":2}]}},"b":{"a":1}}"#, #"{"a":"a","b":"a"}"#, #"["a","a",{"a":["a","a"]}]"#,
            #"{"a":1,"A":2}"#, #"{"a":"\\","b":"\"a\":{","c":1}"#, "", "null", #""a""#, "[]", "{}",
        ])
    func notFound(_ text: String) {
        #expect(JSONRepeat.first(in: text) == nil)
    }

    @Test("a text that is not JSON ends the search without a fault")
    func malformed() {
        for text in [
            "}", "]]", ",", "{\"", "{\"a", "{\"a\\", "{\"\\u", "{\"\\u00", "{,,\"a\"}", "{\"a\" \"a\"}", "[}{]", "\\",
            "{\"\\ud800\":1}",
        ] {
            _ = JSONRepeat.first(in: text)
        }
        var random = SystemRandomNumberGenerator()
        let letters = Array("{}[],:\"\\au06 1".utf8)
        for _ in 0..<2_000 {
            let bytes = (0..<40).map { _ in letters[Int.random(in: 0..<letters.count, using: &random)] }
            _ = bytes.withUnsafeBytes { JSONRepeat.first(in: $0) }
        }
    }
}
