import Foundation
import TestSupport
import Testing

/// Measures the CPU time of an instance for each input that an unauthenticated client or a caller can send. Each input
/// has the largest size, and consists of characters that are expensive to process as text.
@Suite("Cost of hostile inputs", .timeLimit(.minutes(20)))
struct CostTests {
    /// The largest accepted cost of an input in a release build.
    private static let inputLimit = Duration.milliseconds(5)
    private static let bodyLimit = Duration.milliseconds(20)
    /// The factor for a debug build, which checks each step.
    private static let debugFactor = 12

    @Test("no input costs more than a few milliseconds", arguments: HostileText.all)
    func costs(_ text: HostileText) async throws {
        let folder = try TestFolder.make("costs") + "/data"
        let instance = try await KeywardProcess.start(
            dataDirectory: folder, arguments: ["--trusted-proxies", "127.0.0.0/8"])
        let key = try await instance.create().value
        let (gateway, control) = (
            CostInputs(text: text, key: key, admin: instance.adminKey).gateway,
            CostInputs(text: text, key: key, admin: instance.adminKey).control
        )
        for (url, inputs) in [(instance.gateway, gateway), (instance.control, control)] {
            for input in inputs {
                let (cost, status) = try await measure(input.request, url, instance)
                if ProcessInfo.processInfo.environment["KEYWARD_PRINT_COSTS"] != nil {
                    let place = url == instance.gateway ? "gateway" : "control"
                    print(
                        "| \(place): \(input.name) | \(text.name) | \(input.request.count) | \(status) | \(cost.milliseconds) |"
                    )
                }
                let limit = (input.isBody ? Self.bodyLimit : Self.inputLimit) * Self.factor
                #expect(cost < limit, "\(input.name) of \(text.name), \(input.request.count) bytes: \(cost)")
                #expect(!status.hasPrefix("5"), "\(input.name) of \(text.name): \(status)")
            }
        }
        #expect(try await instance.stop() == 0)
    }

    private static var factor: Int {
        #if DEBUG
            debugFactor
        #else
            1
        #endif
    }

    /// Returns the smallest cost of several requests, each on a new connection, and the status of the last one.
    private func measure(
        _ request: [UInt8], _ url: String, _ instance: KeywardProcess
    ) async throws -> (cost: Duration, status: String) {
        var least = Duration.seconds(3_600)
        var status = ""
        for _ in 0..<3 {
            let start = CPUTime.ofProcess(instance.processID)
            let connection = try RawConnection(to: url)
            connection.send(request)
            let answer = await connection.read(until: Self.isWhole) ?? ""
            least = min(least, CPUTime.ofProcess(instance.processID) - start)
            status = String(answer.dropFirst("HTTP/1.1 ".count).prefix(3))
        }
        return (least, status)
    }
}

extension CostTests {
    /// Returns true for a complete response of a known length.
    fileprivate static func isWhole(_ text: String) -> Bool {
        guard let end = text.firstRange(of: "\r\n\r\n") else { return false }
        let head = text[..<end.lowerBound].lowercased()
        guard let length = head.firstMatch(of: /content-length: (\d+)/).flatMap({ Int($0.1) }) else { return false }
        return text[end.upperBound...].utf8.count >= length
    }
}

extension Duration {
    fileprivate var milliseconds: String { String(format: "%.2f", self / .microseconds(1) / 1_000) }
}
