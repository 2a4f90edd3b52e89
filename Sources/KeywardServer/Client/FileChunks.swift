import Glibc
import NIOCore
import NIOPosix

/// The chunks of a file or of standard input. Each is read on demand, on a thread that may block.
struct FileChunks: AsyncSequence, Sendable {
    private static let chunkSize = 256 * 1024

    private let descriptor: Int32
    private let onChunk: @Sendable (ByteBuffer) -> Void
    private let first: ByteBuffer

    /// Reads the first chunk, so that a request does not begin before there are bytes to send.
    /// - Parameter onChunk: a closure that is called with each chunk before the consumer gets it, and with an empty one
    ///   at the end.
    init(descriptor: Int32, onChunk: @escaping @Sendable (ByteBuffer) -> Void) async throws {
        self.descriptor = descriptor
        self.onChunk = onChunk
        first = try await Self.chunk(of: descriptor)
    }

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let descriptor: Int32
        fileprivate let onChunk: @Sendable (ByteBuffer) -> Void
        fileprivate var first: ByteBuffer?

        mutating func next() async throws -> ByteBuffer? {
            let chunk = if let first { first } else { try await FileChunks.chunk(of: descriptor) }
            first = nil
            onChunk(chunk)
            return chunk.readableBytes > 0 ? chunk : nil
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(descriptor: descriptor, onChunk: onChunk, first: first)
    }

    private static func chunk(of descriptor: Int32) async throws -> ByteBuffer {
        try await NIOThreadPool.singleton.runIfActive { try read(descriptor) }
    }

    private static func read(_ descriptor: Int32) throws -> ByteBuffer {
        var bytes = [UInt8](repeating: 0, count: chunkSize)
        while true {
            let count = Glibc.read(descriptor, &bytes, bytes.count)
            if count >= 0 { return ByteBuffer(bytes: bytes.prefix(count)) }
            guard errno == EINTR else {
                throw CommandError(.failure, "the file cannot be read: \(String(cString: strerror(errno)))")
            }
        }
    }
}
