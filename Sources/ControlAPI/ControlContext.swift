import Hummingbird
import Logging
import NIOCore

/// What the control listener knows of a request.
struct ControlContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel
    /// In every response and log line of the request.
    let requestID: String

    init(source: ApplicationRequestContextSource) {
        var random = SystemRandomNumberGenerator()
        channel = source.channel
        requestID = Self.hex(random.next()) + Self.hex(random.next())
        coreContext = .init(source: source)
        logger[metadataKey: "hb.request.id"] = nil
        logger[metadataKey: "request_id"] = "\(requestID)"
    }

    private static func hex(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
