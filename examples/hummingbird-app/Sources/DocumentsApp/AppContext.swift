import Hummingbird
import KeywardMiddleware
import NIOCore

/// A request context with the principal, and with the client address for keys that are limited to networks.
struct AppContext: KeyedRequestContext, RemoteAddressRequestContext {
    var coreContext: CoreRequestContextStorage
    let remoteAddress: SocketAddress?
    var principal: Principal?

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        remoteAddress = source.channel.remoteAddress
    }
}
