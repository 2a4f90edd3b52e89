import Testing

@testable import AuthKeys

@Suite("List cursors")
struct ListCursorTests {
    private let cursor = ListCursor(
        order: .newestFirst, moment: .now, name: "name with é and 🔑", id: .generate())

    @Test("a cursor of every order round-trips")
    func roundTrip() {
        #expect(ListCursor(encoded: cursor.encoded) == cursor)
        #expect(cursor.encoded.utf8.allSatisfy { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: "+") })
        for order in KeyOrder.all {
            let moments: [Timestamp?] =
                switch order.field {
                case .created: [.now]
                case .name: [nil]
                case .lastUsed, .expires: [.now, nil, .maximum, .minimum]
                }
            for moment in moments {
                let cursor = ListCursor(order: order, moment: moment, name: "n", id: .generate())
                #expect(ListCursor(encoded: cursor.encoded) == cursor)
            }
            #expect(KeyOrder(order.description) == order)
        }
        for none in ["", "-", "--name", "Name", "last-used"] { #expect(KeyOrder(none) == nil) }
    }

    @Test("a cut, extended, altered or mismatched cursor is refused")
    func tampering() {
        let text = Array(cursor.encoded)
        for position in text.indices {
            var altered = text
            altered[position] = altered[position] == "A" ? "B" : "A"
            #expect(ListCursor(encoded: String(altered)) == nil)
            #expect(ListCursor(encoded: String(text[..<position])) == nil)
        }
        for junk in ["A", "é", "====", cursor.encoded + "AAAA", String(repeating: "A", count: 100_000)] {
            #expect(ListCursor(encoded: junk) == nil)
        }
        for (order, moment) in [(KeyOrder.newestFirst, nil), (KeyOrder(.name), Timestamp.now)] {
            let made = ListCursor(order: order, moment: moment, name: "n", id: .generate())
            #expect(ListCursor(encoded: made.encoded) == nil)
        }
    }

    @Test("a forged cursor with an out-of-range time or a long name is refused")
    func ranges() {
        let times = [Int64.min, Timestamp.minimum.microseconds - 1, Timestamp.maximum.microseconds + 1, .max]
        for microseconds in times {
            let forged = ListCursor(
                order: .newestFirst, moment: Timestamp(microseconds: microseconds), name: "n", id: .generate())
            #expect(ListCursor(encoded: forged.encoded) == nil)
            #expect(AuditCursor(encoded: AuditCursor(at: Timestamp(microseconds: microseconds), id: 1).encoded) == nil)
        }
        let long = String(repeating: "n", count: FieldRules.nameLimit + 1)
        let forged = ListCursor(order: KeyOrder(.name), moment: nil, name: long, id: .generate())
        #expect(ListCursor(encoded: forged.encoded) == nil)
    }

    @Test("base64url follows RFC 4648")
    func vectors() {
        for (plain, text) in [
            ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
        ] {
            #expect(Base64URL.encode(Array(plain.utf8)) == text)
            #expect(Base64URL.decode(Array(text.utf8)) == Array(plain.utf8))
        }
        #expect(Base64URL.decode(Array("Zh".utf8)) == nil, "unused bits must be zero")
    }
}
