import Foundation
import Testing

@testable import AuthKeys

/// Merge patches, by the examples of RFC 7396 appendix A.
@Suite struct JSONValueTests {
    private func value(_ text: String) throws -> JSONValue {
        try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
    }

    @Test(arguments: [
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
    func `a merge patch does what the RFC says`(_ original: String, _ patch: String, _ result: String) throws {
        #expect(try value(original).merged(with: value(patch)) == value(result))
    }

    @Test(arguments: ["{}", #"{"a":[1,-2.5,true,null,"x\"\\\u0001é"],"b":{"c":{}}}"#, #"{"n":9007199254740993}"#])
    func `the size is never less than that of the text`(_ text: String) throws {
        let value = try value(text)
        let encoded = try JSONEncoder().encode(value)
        #expect(value.size >= encoded.count)
        #expect(try JSONDecoder().decode(JSONValue.self, from: encoded) == value)
    }

    @Test func `equal values have one canonical text, others another`() throws {
        #expect(try value(#"{"a":1,"b":2}"#).canonical == value(#"{"b":2,"a":1}"#).canonical)
        #expect(try value(#"{"a":"1"}"#).canonical != value(#"{"a":1}"#).canonical)
        #expect(try value(#"["ab","c"]"#).canonical != value(#"["a","bc"]"#).canonical)
    }
}
