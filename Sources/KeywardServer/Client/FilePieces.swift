import Glibc
import NIOCore
import NIOPosix

/// A file, or standard input, by the piece: read on a thread that may wait, as far as somebody asks for more.
struct FilePieces: AsyncSequence, Sendable {
    private static let pieceSize = 256 * 1024

    let descriptor: Int32
    /// Called with each piece before it is handed over, and with an empty one at the end.
    let onPiece: @Sendable (ByteBuffer) -> Void

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let descriptor: Int32
        fileprivate let onPiece: @Sendable (ByteBuffer) -> Void

        func next() async throws -> ByteBuffer? {
            let piece = try await NIOThreadPool.singleton.runIfActive { [descriptor] in
                try FilePieces.read(descriptor)
            }
            onPiece(piece)
            return piece.readableBytes > 0 ? piece : nil
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(descriptor: descriptor, onPiece: onPiece)
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
