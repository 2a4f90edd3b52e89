import Glibc
import NIOCore
import NIOSSL

extension Channel {
    /// Closes a connection so that nobody takes what came for all there was: a reset (SO_LINGER of zero; RST_STREAM for a
    /// stream). TLS is not said goodbye to, for the same reason, and because the other side might not answer.
    func abort() {
        _ = (self as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        if let tls = try? pipeline.syncOperations.context(handlerType: NIOSSLServerHandler.self) {
            tls.close(promise: nil)
        } else {
            close(promise: nil)
        }
    }
}
