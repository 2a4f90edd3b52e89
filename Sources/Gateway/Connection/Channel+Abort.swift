import Glibc
import NIOCore
import NIOSSL

extension Channel {
    /// Closes the connection so that the peer cannot mistake a truncated message for a complete one. A socket is reset
    /// (SO_LINGER of zero), a stream gets RST_STREAM. TLS sends no close_notify, for the same reason, and because the
    /// peer might not reply.
    func abort() {
        _ = (self as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        if let tls = try? pipeline.syncOperations.context(handlerType: NIOSSLServerHandler.self) {
            tls.close(promise: nil)
        } else {
            close(promise: nil)
        }
    }
}
