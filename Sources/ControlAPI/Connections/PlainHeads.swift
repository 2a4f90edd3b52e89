import NIOCore
import NIOHTTP1

/// Turns the head of each request into ASCII of bounded length, before anything reads it as text.
///
/// Fields may hold any byte beyond ASCII (RFC 9110 section 5.5), and Swift compares, hashes and splits strings of such bytes in a
/// time that grows with the square of their length. Everything that the listener reads of a head is ASCII in a valid request, so
/// that each other byte becomes `substitute`, which no valid value has and no check accepts. A target that is too long is cut
/// behind the byte that makes it too long. The targets that proxies tell keep their bytes, for an error that names the first that is
/// not valid: `TargetFault` is looked for before anything else.
final class PlainHeads: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    /// Bytes of a request target; 414 beyond.
    static let targetLimit = 8_192
    /// A quotation mark: no method, token or address has one. A control character would become a space further on.
    static let substitute = UInt8(ascii: "\"")
    /// Fields that hold the target of another request, in lower case.
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
