import ServiceLifecycle

/// A service that prints the addresses of an instance once its listeners are bound.
///
/// If the output cannot be written, the instance ends: there is no other way to learn the port after port 0, or the
/// path of a new admin key.
struct StartAnnouncement: Service {
    private let lines: AsyncStream<[String]>
    private let continuation: AsyncStream<[String]>.Continuation

    init() {
        (lines, continuation) = AsyncStream.makeStream(of: [String].self, bufferingPolicy: .bufferingOldest(1))
    }

    func announce(_ lines: [String]) {
        continuation.yield(lines)
        continuation.finish()
    }

    func run() async throws {
        for await lines in lines.cancelOnGracefulShutdown() {
            do throws(OutputError) {
                try Console.out(lines)
            } catch {
                throw StartError("\(error)")
            }
        }
    }
}
