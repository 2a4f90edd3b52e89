import AuthKeys
import NIOCore

extension Credential where Token == Range<Int> {
    /// Finds the credential of a request's head: the range of its token in the bytes.
    init(in head: borrowing RequestHead, bytes: UnsafeRawBufferPointer, places: CredentialPlaces) {
        var finder = CredentialFinder<Range<Int>>(places: places)
        for field in head.fields.lines {
            switch field.kind {
            case .authorization:
                finder.authorization(
                    BearerScheme.tokenStart(in: bytes.part(field.value)).map {
                        field.value.lowerBound + $0..<field.value.upperBound
                    })
            case .xAPIKey: finder.apiKey(field.value)
            default: break
            }
        }
        self = finder.credential { bytes.part($0).elementsEqual(bytes.part($1)) }
    }
}
