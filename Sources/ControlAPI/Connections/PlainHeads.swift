import NIOCore
import NIOHTTP1

/// Converts the head of each request to ASCII of bounded length, before any other handler reads it as text.
///
/// Field values may contain any byte beyond ASCII (RFC 9110 section 5.5), and Swift's string operations on such bytes
/// take quadratic time. All parts of a valid head that the listener reads are ASCII. So each other byte becomes
/// `substitute`, which no valid value contains and no check accepts. An overlong target is cut behind the first byte
/// beyond the limit. The targets in proxies' fields keep their bytes, so that `TargetFault`, which is checked first,
/// can name the first invalid one.
final class PlainHeads: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    /// The maximum length of a request target in bytes; 414 beyond.
    static let targetLimit = 8_192
    /// A quotation mark, which no method, token or address contains. A later step would turn a control character into a
    /// space.
    static let substitute = UInt8(ascii: "\"")
    /// The fields that contain the target of another request, in lower case.
    private static let targets: Set<String> = ["x-forwarded-uri", "x-original-uri", "x-original-url"]

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(let head) = unwrapInboundIn(data), !Self.isPlain(head) else {
            return context.fireChannelRead(data)
        }
        context.fireChannelRead(wrapInboundOut(.head(Self.plain(head))))
    }

    private static func isPlain(_ head: HTTPRequestHead) -> Bool {
        head.uri.utf8.count <= targetLimit && isPlain(head.uri) && head.headers.allSatisfy { isPlain($0.value) }
    }

    private static func plain(_ head: HTTPRequestHead) -> HTTPRequestHead {
        var plain = head
        plain.uri = self.plain(head.uri.utf8.prefix(targetLimit + 1))
        plain.headers = HTTPHeaders(
            head.headers.map { name, value in
                let keepsBytes =
                    isPlain(value) || value.utf8.count <= targetLimit && targets.contains(name.lowercased())
                return (name, keepsBytes ? value : self.plain(value.utf8))
            })
        return plain
    }

    private static func isPlain(_ text: String) -> Bool { text.utf8.allSatisfy { $0 < 0x80 } }

    private static func plain(_ bytes: some Sequence<UInt8>) -> String {
        String(decoding: bytes.map { $0 < 0x80 ? $0 : substitute }, as: UTF8.self)
    }
}
