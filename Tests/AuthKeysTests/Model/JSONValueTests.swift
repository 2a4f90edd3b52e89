import Foundation
import Testing

@testable import AuthKeys

@Suite("JSON values")
struct JSONValueTests {
    private func value(_ text: String) throws -> JSONValue {
        try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
    }

    @Test(
        "a merge patch gives the results of RFC 7396 appendix A",
        arguments: [
            (#"{"a":"b"}"#, #"{"a":"c"}"#, #"{"a":"c"}"#), (#"{"a":"b"}"#, #"{"b":"c"}"#, #"{"a":"b","b":"c"}"#),
            (#"{"a":"b"}"#, #"{"a":null}"#, "{}"), (#"{"a":"b","b":"c"}"#, #"{"a":null}"#, #"{"b":"c"}"#),
            (#"{"a":["b"]}"#, #"{"a":"c"}"#, #"{"a":"c"}"#), (#"{"a":"c"}"#, #"{"a":["b"]}"#, #"{"a":["b"]}"#),
            (#"{"a":{"b":"c"}}"#, #"{"a":{"b":"d","c":null}}"#, #"{"a":{"b":"d"}}"#),
            (#"{"a":[{"b":"c"}]}"#, #"{"a":[1]}"#, #"{"a":[1]}"#), (#"["a","b"]"#, #"["c","d"]"#, #"["c","d"]"#),
            (#"{"a":"b"}"#, #"["c"]"#, #"["c"]"#), (#"{"a":"foo"}"#, "null", "null"),
            (#"{"a":"foo"}"#, #""bar""#, #""bar""#),
            (#"{"e":null}"#, #"{"a":1}"#, #"{"e":null,"a":1}"#), ("[1,2]", #"{"a":"b","c":null}"#, #"{"a":"b"}"#),
            ("{}", #"{"a":{"bb":{"ccc":null}}}"#, #"{"a":{"bb":{}}}"#),
        ])
    func mergePatch(_ original: String, _ patch: String, _ result: String) throws {
        #expect(try value(original).merged(with: value(patch)) == value(result))
    }

    @Test(
        "the size is at least that of the text",
        arguments: ["{}", #"{"a":[1,-2.5,true,null,"x\"\\\u0001é"],"b":{"c":{}}}"#, #"{"n":9007199254740993}"#])
    func size(_ text: String) throws {
        let value = try value(text)
        let encoded = try JSONEncoder().encode(value)
        #expect(value.size >= encoded.count)
        #expect(try JSONDecoder().decode(JSONValue.self, from: encoded) == value)
    }

    @Test("equal values have equal canonical texts, different values differ")
    func canonical() throws {
        #expect(try value(#"{"a":1,"b":2}"#).canonical == value(#"{"b":2,"a":1}"#).canonical)
        #expect(try value(#"{"a":"1"}"#).canonical != value(#"{"a":1}"#).canonical)
        #expect(try value(#"["ab","c"]"#).canonical != value(#"["a","bc"]"#).canonical)
    }
}
