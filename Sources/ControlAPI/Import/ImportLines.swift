import FoundationEssentials
import Hummingbird
import KeyAdministration
import NIOCore
import NIOFoundationEssentialsCompat

/// The lines of a request's body, in batches, as they arrive.
struct ImportLines: AsyncSequence, Sendable {
    static let lineLimit = 64 * 1024
    /// The size of a batch, in lines and in bytes: it ends when it reaches one of them, or with the last line.
    private static let batchLines = 2_000
    private static let batchBytes = 1 << 20

    let body: RequestBody
    let wait: ImportWait
    /// Throws if the bytes read are fewer than the client sent.
    let checkEnd: @Sendable (_ bytes: Int) throws -> Void

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var body: RequestBody.AsyncIterator
        fileprivate let wait: ImportWait
        fileprivate let checkEnd: @Sendable (_ bytes: Int) throws -> Void
        private var splitter = LineSplitter(limit: ImportLines.lineLimit)
        private var parser = LineParser()
        private var bytes = 0
        private var isOver = false

        fileprivate init(_ lines: ImportLines) {
            body = lines.body.makeAsyncIterator()
            wait = lines.wait
            checkEnd = lines.checkEnd
        }

        mutating func next() async throws -> [ImportLine]? {
            guard !isOver else { return nil }
            var lines: [ImportLine] = []
            let start = bytes
            wait.beginBatch()
            while lines.count < ImportLines.batchLines, bytes - start < ImportLines.batchBytes {
                guard let piece = try await nextPiece() else {
                    isOver = true
                    try checkEnd(bytes)
                    splitter.finish { parser.parse($0, into: &lines) }
                    break
                }
                bytes += piece.readableBytes
                splitter.take(piece) { parser.parse($0, into: &lines) }
            }
            return lines
        }

        private mutating func nextPiece() async throws -> ByteBuffer? {
            wait.beginWaiting()
            defer { wait.endWaiting() }
            do {
                return try await body.next()
            } catch {
                // The cause is the connection, not a fault of the server.
                throw ImportLines.incomplete
            }
        }
    }

    static var incomplete: APIError { .invalidJSON("it is incomplete, and no key was imported") }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(self)
    }
}

/// Parses lines, and counts them from 1. Empty lines are counted and skipped.
private struct LineParser {
    private let decoder: FoundationEssentials.JSONDecoder
    private var number = 0

    init() {
        decoder = FoundationEssentials.JSONDecoder()
        if let key = Moment.takesUnixSeconds { decoder.userInfo[key] = true }
    }

    mutating func parse(_ line: LineSplitter.Line, into lines: inout [ImportLine]) {
        number += 1
        switch line {
        case .text(let text) where text.readableBytesView.allSatisfy(Self.isSpace): break
        case .text(let text): lines.append(ImportLine(number: number, content: read(text)))
        case .tooLong:
            let problem = ImportProblem(
                line: number, param: nil, message: "a line must be at most \(ImportLines.lineLimit) bytes")
            lines.append(ImportLine(number: number, content: .failure(problem)))
        }
    }

    private func read(_ text: ByteBuffer) -> Result<ImportRequest, ImportProblem> {
        JSONBody.read(ImportLineBody.self, from: text, with: decoder)
            .map(\.request)
            .mapError { refusal in
                switch refusal {
                case .fault(let fault): ImportProblem(line: number, param: fault.param, message: fault.message)
                case .refused(let error): ImportProblem(line: number, param: error.param, message: error.message)
                }
            }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }
}
