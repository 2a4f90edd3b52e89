import NIOCore
import TestSupport
import Testing

@testable import Gateway

@Suite("Usage scanner")
struct UsageScannerTests {
    private func scanner(_ format: UsageScanner.Format, _ member: String = "total_tokens") throws -> UsageScanner {
        UsageScanner(format, try #require(UsageMember(member)))
    }

    /// Scans a body in one chunk, in two at each position, and byte by byte. Returns the cost if all agree.
    private func cost(_ body: String, _ format: UsageScanner.Format = .json) throws -> Int64? {
        let bytes = Array(body.utf8)
        let start = try scanner(format)
        var whole = start
        whole.scan(ByteBuffer(bytes: bytes))
        for split in 0...bytes.count {
            var parts = start
            parts.scan(bytes[..<split])
            parts.scan(EmptyCollection<UInt8>())
            parts.scan(bytes[split...])
            #expect(parts.cost == whole.cost, "split at \(split)")
        }
        var single = start
        for byte in bytes { single.scan(CollectionOfOne(byte)) }
        #expect(single.cost == whole.cost)
        return whole.cost
    }

    @Test("the member of the outermost usage object is read")
    func json() throws {
        for (body, expected) in [
            (#"{"usage":{"total_tokens":15}}"#, 15),
            (#" { "id" : "x" , "usage" : { "prompt_tokens" : 5 , "total_tokens" : 15 , "z" : [1] } } "#, 15),
            (#"{"usage":{"details":{"total_tokens":3,"usage":{"total_tokens":4}},"total_tokens":15}}"#, 15),
            (#"{"a":[{"usage":{"total_tokens":3}}],"usage":{"total_tokens":0},"b":{"usage":{"total_tokens":9}}}"#, 0),
            (#"{"usage":{"total_tokens":1},"usage":{"total_tokens":2}}"#, 2),
            (#"{"usage":{"total_tokens":1000000000}}"#, 1_000_000_000),
            (#"{"text":"\"usage\":{\"total_tokens\":7}","usage":{"total_tokens":8}}"#, 8),
            (#"{"text":"\\","usage":{"total_tokens":8}}"#, 8),
            (#"{"a":-1.5e3,"b":true,"usage":{"total_tokens":8}}"#, 8),
            (#"{"ä":"\u0022","usage":{"total_tokens":8}}"#, 8), (#"{"usage":null,"usage":{"total_tokens":8}}"#, 8),
            (#"{"":{},"":"","usage":{"":1,"total_tokens":8}}"#, 8),
        ] as [(String, Int64)] {
            #expect(try cost(body) == expected, "\(body)")
        }
    }

    @Test(
        "another place, another type or another form is not read",
        arguments: [
            "", "{", "[]", #"[{"usage":{"total_tokens":1}}]"#, #"{"total_tokens":1}"#,
            #"{"usage":[{"total_tokens":1}]}"#,
            #"{"usage":{"total_tokens":"1"}}"#, #"{"usage":{"total_tokens":1.5}}"#, #"{"usage":{"total_tokens":1e3}}"#,
            #"{"usage":{"total_tokens":-1}}"#, #"{"usage":{"total_tokens":null}}"#, #"{"usage":{"total_tokens":[1]}}"#,
            #"{"usage":{"total_tokens":1000000001}}"#, #"{"usage":{"total_tokens":99999999999999999999999}}"#,
            #"{"usage":{"total_token":1,"total_tokens_":1,"Total_Tokens":1}}"#, #"{"Usage":{"total_tokens":1}}"#,
            #"{"a":{"usage":{"total_tokens":1}}}"#, #"{"usage":{"a":{"total_tokens":1}}}"#,
            #"{"text":"{\"usage\":{\"total_tokens\":1}}"}"#, #"{"usage":"x","y":{"total_tokens":1}}"#,
            #"{"usage":{"total_tokens":1"#, #"{"usage":{"total_tokens" 1}}"#, #"x{"usage":{"total_tokens":1}}"#,
            #"{"usage":{}} {"usage":{"total_tokens":1}}"#, #"{"usage":{"tot\u0061l_tokens":1}}"#,
        ])
    func others(_ body: String) throws {
        #expect(try cost(body) == nil)
    }

    @Test("arrays and objects may be nested 512 deep")
    func depth() throws {
        func body(_ depth: Int) -> String {
            #"{"a":"# + String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
                + #","usage":{"total_tokens":1}}"#
        }
        #expect(try cost(body(512)) == 1)
        #expect(try cost(body(513)) == nil)
    }

    @Test("the last event with usage counts")
    func events() throws {
        let chunk = #"data: {"choices":[{"delta":{"content":"usage"}}],"usage":null}"#
        let last = #"data: {"choices":[],"usage":{"total_tokens":42}}"#
        for end in ["\n", "\r\n", "\r"] {
            let stream = [chunk, "", ": comment", "event: x", "id: 1", chunk, "", last, "", "data: [DONE]", "", ""]
            #expect(try cost(stream.joined(separator: end), .events) == 42)
        }
        func event(_ cost: Int) -> String { "data:{\"usage\":{\"total_tokens\":\(cost)}}\n\n" }
        #expect(try cost(event(1) + event(9) + event(4), .events) == 4)
        #expect(try cost(event(1) + "data: {\"usage\":null}\n\ndata: {\"usage\":{}}\n\n", .events) == 1)
        #expect(try cost(event(1) + "data: nonsense\n\ndata: {\"usage\":{\"total_tok\n\n" + event(5), .events) == 5)
        #expect(try cost("data: {\"usage\":\ndata: {\"total_tokens\"\ndata: :7}\ndata: }\n\n", .events) == 7)
        #expect(try cost("data: {}\ndata: {\"usage\":{\"total_tokens\":7}}\n", .events) == 7)
        #expect(try cost("data: {\"usage\":{\"total_tokens\":7}}", .events) == 7)
        let object = #"{"usage":{"total_tokens":7}}"#
        #expect(try cost("id: \(object)\ndat: \(object)\n\n", .events) == nil)
        #expect(try cost(" data: {\"usage\":{\"total_tokens\":7}}\n\ndata\n\n", .events) == nil)
        #expect(try cost("data: {\"usage\":\n\ndata: {\"total_tokens\":7}}\n\n", .events) == nil)
    }

    /// A generator of JSON texts, which knows the usage in them.
    private struct Generator {
        var random: SeededRandom
        private static let words = [
            "usage", "total_tokens", "a", "", #"\""#, #"\\"#, "{", "}", "[", "]", ":", ",", #"\u0041"#, "ö", "data:",
            #"{\"usage\":{\"total_tokens\":5}}"#,
        ]

        mutating func string() -> String {
            let count = Int.random(in: 0...3, using: &random)
            return "\"" + (0..<count).map { _ in word() }.joined() + "\""
        }

        private mutating func word() -> String { Self.words.randomElement(using: &random) ?? "" }

        mutating func blank() -> String {
            Bool.random(using: &random) ? "" : ["", " ", "\t", "  "].randomElement(using: &random) ?? ""
        }

        mutating func value(_ depth: Int) -> String {
            switch Int.random(in: 0...(depth > 4 ? 4 : 6), using: &random) {
            case 0: string()
            case 1: "\(Int.random(in: -99...99, using: &random))"
            case 2: "1.5e-3"
            case 3: "null"
            case 4: "true"
            case 5: "[" + list { $0.value(depth + 1) } + "]"
            default: "{" + list { "\($0.string())\($0.blank()):\($0.blank())\($0.value(depth + 1))" } + "}"
            }
        }

        private mutating func list(_ element: (inout Generator) -> String) -> String {
            let count = Int.random(in: 0...3, using: &random)
            return blank() + (0..<count).map { _ in element(&self) + blank() }.joined(separator: "," + blank())
        }

        /// Returns an object and the number in its last `usage` object that has one.
        mutating func object() -> (text: String, cost: Int64?) {
            var cost: Int64?
            let members = (0..<Int.random(in: 0...5, using: &random)).map { _ in member(&cost) }
            return ("{" + blank() + members.joined(separator: "," + blank()) + "}", cost)
        }

        private mutating func member(_ cost: inout Int64?) -> String {
            guard Bool.random(using: &random) else {
                // Another name.
                return "\"x\(string().dropFirst())\(blank()):\(blank())\(value(0))\(blank())"
            }
            var inner: [String] = []
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                if Bool.random(using: &random) {
                    let number = Int64.random(in: 0...1_000_000, using: &random)
                    cost = number
                    inner.append("\"total_tokens\"\(blank()):\(blank())\(number)\(blank())")
                } else {
                    inner.append("\"y\(string().dropFirst()):\(blank())\(value(1))\(blank())")
                }
            }
            return "\"usage\"\(blank()):\(blank()){\(inner.joined(separator: ","))}\(blank())"
        }
    }

    @Test("random bodies are read right at any split", arguments: 1...150 as ClosedRange<UInt64>)
    func random(_ seed: UInt64) throws {
        var generator = Generator(random: SeededRandom(state: seed))
        let (text, expected) = generator.object()
        #expect(try cost(text) == expected, "\(text)")
        let second = generator.object()
        let stream = "data: \(text)\n\n: x\ndata: \(second.text)\r\n\r\ndata: [DONE]\n\n"
        #expect(try cost(stream, .events) == second.cost ?? expected, "\(stream)")
    }

    @Test("random bytes neither trap nor change what was found", arguments: 1...50 as ClosedRange<UInt64>)
    func noise(_ seed: UInt64) throws {
        var random = SeededRandom(state: seed)
        let alphabet = Array("{}[]\":,\\0123usage total_tokens\n\rdata:".utf8) + [0, 0xFF]
        for format in [UsageScanner.Format.json, .events] {
            var scanner = try scanner(format)
            for _ in 0..<5_000 { scanner.scan(CollectionOfOne(alphabet.randomElement(using: &random) ?? 0)) }
            #expect(scanner.cost.map { (0...1_000_000_000).contains($0) } ?? true)
        }
    }

    @Test("a member's name has 1 to 64 letters, digits, underscores and hyphens")
    func names() throws {
        for name in ["", "a b", "a.b", "\"", "ä", String(repeating: "a", count: 65)] {
            #expect(UsageMember(name) == nil, "\(name)")
        }
        for name in ["total_tokens", "x-1", String(repeating: "a", count: 64)] { #expect(UsageMember(name) != nil) }
        var scanner = try scanner(.json, "prompt_tokens")
        scanner.scan(Array(#"{"usage":{"total_tokens":9,"prompt_tokens":3}}"#.utf8))
        #expect(scanner.cost == 3)
    }
}
