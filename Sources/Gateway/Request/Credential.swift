import AuthKeys
import HTTPCredentials
import NIOCore

extension Credential where Token == UnsafeRawBufferPointer {
    /// Finds the credential of a request's head among its bytes.
    init(in head: borrowing RequestHead, bytes: UnsafeRawBufferPointer, places: CredentialPlaces) {
        var finder = CredentialFinder<UnsafeRawBufferPointer>(places: places)
        for field in head.fields.lines {
            switch field.kind {
            case .authorization:
                let value = bytes.part(field.value)
                finder.authorization(BearerScheme.tokenStart(in: value).map { value.part($0..<value.count) })
            case .xAPIKey: finder.apiKey(bytes.part(field.value))
            default: break
            }
        }
        self = finder.credential { $0.elementsEqual($1) }
    }
}
