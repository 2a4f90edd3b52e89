import NIOHTTP2

/// The limits of a client's HTTP/2 connection, and how the library is told of them.
struct HTTP2Limits {
    /// The bytes of a request's body that may be under way on a stream that is not read.
    private static let streamWindow = 131_072
    private static let connectionWindow = 1 << 20

    let streams: Int
    /// The largest field section that is read, by the size of RFC 9113 section 6.5.2; 431 beyond. The head that the gateway
    /// makes of it has limits of its own, which are not above this one.
    let section: Int
    /// The largest field section that is read at all; the end of the connection beyond.
    var announcedSection: Int { CarriedSection.size(for: section) }

    init(_ limits: GatewayConfiguration.Limits) {
        streams = limits.streamsPerConnection
        section = limits.headBytes + 32 * limits.fieldCount
    }

    var connection: NIOHTTP2Handler.ConnectionConfiguration {
        var configuration = NIOHTTP2Handler.ConnectionConfiguration()
        configuration.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: streams),
            HTTP2Setting(parameter: .maxHeaderListSize, value: announcedSection),
            HTTP2Setting(parameter: .initialWindowSize, value: Self.streamWindow),
        ]
        configuration.targetWindowSize = Self.connectionWindow
        configuration.maximumSequentialContinuationFrames = announcedSection / HTTP2FrameHeader.payloadLimit + 1
        return configuration
    }

    var stream: NIOHTTP2Handler.StreamConfiguration {
        var configuration = NIOHTTP2Handler.StreamConfiguration()
        configuration.targetWindowSize = Self.streamWindow
        configuration.outboundBufferSizeLowWatermark = 32_768
        configuration.outboundBufferSizeHighWatermark = 131_072
        return configuration
    }
}
