import Hummingbird
import KeywardMiddleware
import NIOCore

/// What a request carries to its handler: who calls, and from where (for keys that are limited to networks).
struct AppContext: KeyedRequestContext, RemoteAddressRequestContext {
    var coreContext: CoreRequestContextStorage
    let remoteAddress: SocketAddress?
    var principal: Principal?

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        remoteAddress = source.channel.remoteAddress
    }
}
