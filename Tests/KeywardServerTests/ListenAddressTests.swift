import TestSupport
import Testing

@testable import KeywardServer

@Suite("Listen address")
struct ListenAddressTests {
    @Test("each form is accepted or refused as docs/fields.md lists it")
    func forms() throws {
        for row in try DocumentedTable.rows(below: "Addresses to listen on") {
            let address = ListenAddress(row[0].code[0])
            let text = address.map { "\($0.host), port \($0.port)" } ?? "refused"
            #expect(text == row[1].text, "\(row[0].text)")
        }
    }
}
