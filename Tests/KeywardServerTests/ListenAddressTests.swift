import TestSupport
import Testing

@testable import KeywardServer

@Suite("Addresses to listen on, as docs/fields.md has them")
struct ListenAddressTests {
    @Test("each form is read or refused")
    func forms() throws {
        for row in try DocumentedTable.rows(below: "Addresses to listen on") {
            let address = ListenAddress(row[0].code[0])
            let text = address.map { "\($0.host), port \($0.port)" } ?? "refused"
            #expect(text == row[1].text, "\(row[0].text)")
        }
    }
}
