import Glibc
import NIOCore
import NIOPosix

/// A file, or standard input, by the piece: read on a thread that may wait, as far as somebody asks for more.
struct FilePieces: AsyncSequence, Sendable {
    private static let pieceSize = 256 * 1024

    private let descriptor: Int32
    private let onPiece: @Sendable (ByteBuffer) -> Void
    private let first: ByteBuffer

    /// Waits for the first piece, so that a request does not begin before there is something to send.
    /// - Parameter onPiece: called with each piece before it is handed over, and with an empty one at the end.
    init(descriptor: Int32, onPiece: @escaping @Sendable (ByteBuffer) -> Void) async throws {
        self.descriptor = descriptor
        self.onPiece = onPiece
        first = try await Self.piece(of: descriptor)
    }

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let descriptor: Int32
        fileprivate let onPiece: @Sendable (ByteBuffer) -> Void
        fileprivate var first: ByteBuffer?

        mutating func next() async throws -> ByteBuffer? {
            let piece = if let first { first } else { try await FilePieces.piece(of: descriptor) }
            first = nil
            onPiece(piece)
            return piece.readableBytes > 0 ? piece : nil
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(descriptor: descriptor, onPiece: onPiece, first: first)
    }

    private static func piece(of descriptor: Int32) async throws -> ByteBuffer {
        try await NIOThreadPool.singleton.runIfActive { try read(descriptor) }
    }

    private static func read(_ descriptor: Int32) throws -> ByteBuffer {
        var bytes = [UInt8](repeating: 0, count: pieceSize)
        while true {
            let count = Glibc.read(descriptor, &bytes, bytes.count)
            if count >= 0 { return ByteBuffer(bytes: bytes.prefix(count)) }
            guard errno == EINTR else {
                throw StartError("the file cannot be read: \(String(cString: strerror(errno)))")
            }
        }
    }
}
