import NIOHTTP2

/// The limits of a client's HTTP/2 connection, and the library's configuration for them.
struct HTTP2Limits {
    /// The bytes of a request's body that a client may send on a stream that is not read.
    private static let streamWindow = 131_072
    private static let connectionWindow = 1 << 20

    let streams: Int
    /// The maximum size of a field section, by the measure of RFC 9113 section 6.5.2; 431 beyond. The HTTP/1.1 head
    /// made of it has its own limits, which are not higher.
    let section: Int
    /// The maximum size of a field section that is read at all. A larger one ends the connection.
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
