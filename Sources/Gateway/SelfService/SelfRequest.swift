import AuthKeys
import NIOCore

/// A request that the gateway answers itself, because it asks about its key.
final class SelfRequest {
    /// The maximum number of bytes of the body of a rotation.
    static let bodyLimit = 1_024

    let target: SelfPath.Target
    /// The key, once it is admitted.
    var key: AdmittedKey?
    var profile: KeyProfile?
    private(set) var body: [UInt8] = []

    init(_ target: SelfPath.Target) {
        self.target = target
    }

    /// True if the response depends on the body.
    var readsBody: Bool { target == .rotation }

    /// Adds a chunk of the body. Returns false if the body is too long.
    func add(_ piece: ByteBuffer) -> Bool {
        guard piece.readableBytes <= Self.bodyLimit - body.count else { return false }
        body += piece.readableBytesView
        return true
    }
}
