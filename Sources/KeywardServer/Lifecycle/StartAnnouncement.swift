import ServiceLifecycle

/// Prints where an instance listens, once it does. An instance that cannot say so ends: with port 0, and with an admin key that was
/// just made, nothing else says it.
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
