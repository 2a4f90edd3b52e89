import Glibc
import TestSupport
import Testing

@Suite("Descriptor exhaustion", .timeLimit(.minutes(6)))
struct DescriptorTests {
    /// The descriptor limits for which this process can open enough connections.
    private static let limits: [Int] = {
        var own = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &own)
        return [256, 512, 1_024, 4_096].filter { $0 * 2 + 1_000 < own.rlim_cur }
    }()

    /// Opens connections without sending anything. The server may refuse or close some.
    private func hold(_ count: Int, to url: String) -> [RawConnection] {
        (0..<count).compactMap { _ in try? RawConnection(to: url, timeout: 1) }
    }

    @Test(
        "idle connections leave enough descriptors for other uses, and the log reports when accepting stops",
        arguments: limits)
    func idleConnections(_ limit: Int) async throws {
        let folder = try TestFolder.make("serve") + "/data"
        let instance = try await KeywardProcess.start(dataDirectory: folder, descriptors: limit)
        let key = try await instance.create()
        var held = hold(limit / 2 + 150, to: instance.control)
        for _ in 0..<20 {
            let (made, used) = (try await instance.create(), try await instance.call(key.value).status)
            #expect(!made.value.isEmpty && used == 200)
        }
        held += hold(limit / 2 + 600, to: instance.gateway)
        for _ in 0..<20 {
            _ = try await instance.create()
            let ready = try await instance.ready().status
            #expect(ready == 200)
            #expect(instance.openDescriptors < limit - 64)
        }
        let stopped = instance.logText.split(separator: "\n").filter {
            $0.contains("no further connection is accepted")
        }
        #expect((1...9).contains(stopped.count), "\(stopped)")
        #expect(stopped.contains { $0.contains(#""listener":"gateway""#) }, "\(stopped)")
        #expect(!instance.logText.contains("Too many open files"), "\(instance.logText.suffix(2_000))")
        withExtendedLifetime(held) {}
        let status = try await instance.stop()
        #expect(status == 0)
    }
}
