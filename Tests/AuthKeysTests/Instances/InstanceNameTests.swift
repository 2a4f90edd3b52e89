import Testing

@testable import AuthKeys

@Suite("Instance name")
struct InstanceNameTests {
    @Test(
        "1 to 64 printable characters are accepted",
        arguments: [
            "a", "gw-3", "web-1:8080", "rack 4, left", "Büro", "東京-1", String(repeating: "x", count: 64),
            String(repeating: "😀", count: 64),
        ])
    func accepted(_ text: String) {
        #expect(InstanceName(text)?.text == text)
    }

    @Test(
        "any other text is refused",
        arguments: [
            "", " ", " a", "a ", "a\tb", "a\nb", "a\u{0}b", "\u{FEFF}a", "a\u{202E}b", "a\u{A0}b", "a\u{2028}b",
            "\u{E000}",
            String(repeating: "x", count: 65), String(repeating: "😀", count: 65),
            "a" + String(repeating: "\u{301}", count: 31),
        ])
    func refused(_ text: String) {
        #expect(InstanceName(text) == nil)
    }

    @Test("the default name has the host and the suffix, and is the same each time")
    func standard() {
        #expect(InstanceName(host: "web-1.internal", suffix: "8080").text == "web-1.internal:8080")
        let name = InstanceName(onThisHostWith: "8080")
        #expect(name == InstanceName(onThisHostWith: "8080") && name != InstanceName(onThisHostWith: "8081"))
        #expect(name.text.hasSuffix(":8080") && name.text.utf8.count > 5)
    }

    @Test(
        "the default name is valid whatever the host is called",
        arguments: ["", String(repeating: "h", count: 255), "a b\u{7}c", "büro\u{FFFD}", "\u{1F600}"],
        ["8080", "an app", String(repeating: "p", count: 300)])
    func isValid(host: String, suffix: String) {
        let name = InstanceName(host: host, suffix: suffix)
        #expect(InstanceName(name.text) == name)
    }

    @Test("each start of a process has an id of its own")
    func identity() throws {
        let name = try #require(InstanceName("gw-3"))
        let (one, other) = (InstanceIdentity(name: name, kind: .serve), InstanceIdentity(name: name, kind: .serve))
        #expect(one.id != other.id && one.name == "gw-3" && one.version == KeywardVersion.current)
    }
}
