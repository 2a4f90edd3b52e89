import AuthKeys
import HTTPCredentials
import Testing

@Suite("Request identifiers") struct RequestIDTests {
    @Test("an identifier holds its time, and its text is read back") func time() throws {
        var source = RequestIDSource()
        let now = Timestamp(microseconds: 1_795_000_000_123_456)
        let id = source.next(at: now)
        #expect(id.time == Timestamp(microseconds: 1_795_000_000_123_000))
        #expect(id.description.count == 32 && RequestID(id.description) == id)
        #expect(RequestID(id.description.uppercased()) == id)
    }

    @Test("later identifiers have larger texts") func order() {
        var source = RequestIDSource()
        let times = (0..<1000).map { Timestamp(microseconds: 1_795_000_000_000_000 + $0 * 1_000) }
        let texts = times.map { source.next(at: $0).description }
        #expect(texts == texts.sorted())
    }

    @Test("80 bits differ from one identifier to the next") func random() {
        var source = RequestIDSource()
        let ids = (0..<10_000).map { _ in source.next(at: Timestamp(microseconds: 0)) }
        #expect(Set(ids.map(\.low)).count == ids.count)
        #expect(Set(ids.map { $0.high & 0xFFFF }).count > 9_000)
        #expect(ids.allSatisfy { $0.high >> 16 == 0 })
    }

    @Test(
        "a text that is not 32 hexadecimal digits is refused",
        arguments: ["", "0", String(repeating: "g", count: 32), String(repeating: "0", count: 33)])
    func invalid(text: String) {
        #expect(RequestID(text) == nil)
    }
}
