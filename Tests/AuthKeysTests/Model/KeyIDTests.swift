import Foundation
import Testing

@testable import AuthKeys

@Suite("Key ids")
struct KeyIDTests {
    @Test("an id is a UUID of version 7 and round-trips")
    func roundTrip() throws {
        let id = KeyID.generate()
        let uuid = try #require(UUID(uuidString: id.description))
        #expect(KeyID(id.description) == id)
        #expect(KeyID(id.description.uppercased()) == id)
        #expect(KeyID(id.bytes) == id)
        #expect(uuid.uuidString.lowercased() == id.description)
        #expect(Array(id.description)[14] == "7")
        #expect("89ab".contains(Array(id.description)[19]))
    }

    @Test(
        "an invalid UUID is refused",
        arguments: [
            "", "x", "0190163d8694739b8b6ec1e1b9f4a2d3", "0190163d-8694-739b-8b6e-c1e1b9f4a2d",
            "{0190163d-8694-739b-8b6e-c1e1b9f4a2d3}",
            "0190163d-8694-739b-8b6e-c1e1b9f4a2dg", "0190163d_8694_739b_8b6e_c1e1b9f4a2d3",
            "0190163d-8694-739b-8b6e-c1e1b9f4a2é",
        ])
    func malformed(text: String) {
        #expect(KeyID(text) == nil)
    }

    @Test("later ids sort later")
    func order() {
        let early = KeyID.generate(at: Timestamp(microseconds: 1_000_000))
        let late = KeyID.generate(at: Timestamp(microseconds: 1_001_000))
        #expect(early.description < late.description)
    }
}
