import TestSupport
import Testing

@Suite("Few file descriptors", .timeLimit(.minutes(3)))
struct DescriptorTests {
    /// Opens connections that say nothing. Some may be refused or closed.
    private func hold(_ count: Int, to url: String) -> [RawConnection] {
        (0..<count).compactMap { _ in try? RawConnection(to: url, timeout: 1) }
    }

    @Test("idle connections of strangers use up no descriptor that others need", arguments: [256, 512])
    func strangers(_ limit: Int) async throws {
        let folder = try TestFolder.make("serve") + "/data"
        let instance = try await KeywardProcess.start(dataDirectory: folder, descriptors: limit)
        let key = try await instance.create()
        var held = hold(400, to: instance.control)
        for _ in 0..<20 {
            let (made, used) = (try await instance.create(), try await instance.call(key.value).status)
            #expect(!made.value.isEmpty && used == 200)
        }
        held += hold(800, to: instance.gateway)
        for _ in 0..<20 {
            _ = try await instance.create()
            let ready = try await instance.ready().status
            #expect(ready == 200)
            #expect(instance.openDescriptors < limit - 64)
        }
        #expect(!instance.logText.contains("Too many open files"), "\(instance.logText.suffix(2_000))")
        withExtendedLifetime(held) {}
        let status = try await instance.stop()
        #expect(status == 0)
    }
}
