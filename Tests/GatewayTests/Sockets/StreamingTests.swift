import Gateway
import TestSupport
import Testing

/// Backpressure: bodies are never buffered whole, and a slow side slows the other side down.
@Suite("Streaming", .serialized) struct StreamingTests {
    private static let size = 160 << 20
    /// A bound for the sockets' own buffers of three connections, far below a whole body.
    private static let inTransit = 56 << 20

    @Test("a slow upstream slows the upload down") func slowUpload() async throws {
        let upstream = try await RawUpstream(reading: false, receiveBuffer: 65_536, anyBytes: true) { _ in .nothing }
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send("POST / HTTP/1.1\r\nHost: a\r\n\(gateway.bearer)Content-Length: \(Self.size)\r\n\r\n")
            async let streaming: Void = client.stream(Self.size)
            try await eventually("a connection to the upstream") { !upstream.connections.isEmpty }
            let accepted = try await settled("the upload") { client.streamed }
            #expect(accepted < Self.inTransit)
            try await upstream.connections[0].setReading(true)
            try await eventually("the whole upload", within: .seconds(60)) {
                upstream.connections[0].received > Self.size
            }
            await streaming
            #expect(client.streamed == Self.size)
            try await upstream.connections[0].send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            #expect(try await client.response().text == "ok")
        }
    }

    @Test("a slow client slows the download down", arguments: ["Content-Length: \(160 << 20)", "Connection: close"])
    func slowDownload(_ framing: String) async throws {
        let upstream = try await RawUpstream { _ in
            .stream(head: "HTTP/1.1 200 OK\r\n\(framing)\r\n\r\n", count: Self.size)
        }
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port, reading: false, receiveBuffer: 65_536)
            try await client.send(gateway.get())
            try await eventually("a connection to the upstream") { !upstream.connections.isEmpty }
            let given = try await settled("the download") { upstream.connections[0].streamed }
            #expect(given < Self.inTransit)
            try await client.setReading(true)
            try await eventually("the whole download", within: .seconds(60)) { client.received > Self.size }
            #expect(upstream.connections[0].streamed == Self.size)
        }
    }

    @Test("a client that reads late gets the end of a response that closes") func lateReader() async throws {
        let size = 3 << 20
        let upstream = try await RawUpstream { _ in
            .stream(head: "HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n", count: size)
        }
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port, reading: false, receiveBuffer: 65_536)
            try await client.send(gateway.get("/", "Connection: close\r\n"))
            // Longer than the gateway lingers after all output was sent.
            try await Task.sleep(for: .milliseconds(1_500))
            try await client.setReading(true)
            try await eventually("the whole response", within: .seconds(30)) { client.received > size }
        }
    }

    @Test("a client that reads nothing is aborted after the idle timeout") func idleReader() async throws {
        let upstream = try await RawUpstream { _ in
            .stream(head: "HTTP/1.1 200 OK\r\nContent-Length: \(Self.size)\r\n\r\n", count: Self.size)
        }
        try await withGateway(before: upstream, options: .with(\.timeouts.idle, .milliseconds(400))) {
            gateway async throws in
            let client = try await connect(port: gateway.port, reading: false, receiveBuffer: 65_536)
            try await client.send(gateway.get())
            try await eventually("the upstream connection") { !upstream.connections.isEmpty }
            try await eventually("the upstream connection to close") { upstream.connections[0].isClosed }
            await client.close()
        }
    }

    @Test("a chunk is passed on when it arrives, not when the body ends") func chunks() async throws {
        let upstream = try await RawUpstream { _ in .send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        }
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send(gateway.get())
            try await eventually("the head") { client.text.contains("\r\n\r\n") }
            for number in 1...3 {
                try await upstream.connections[0].send("data: \(number)\n\n")
                try await eventually("event \(number)") { client.text.contains("data: \(number)\n\n") }
            }
            await upstream.connections[0].close()
            try await eventually("the end") { client.text.hasSuffix("0\r\n\r\n") }
        }
    }

    @Test("a client that reads slowly gets the whole response, even long after its end")
    func slowReader() async throws {
        let size = 24 << 20
        let upstream = try await RawUpstream { _ in
            .stream(head: "HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n", count: size)
        }
        let options = HarnessOptions.with(\.timeouts.keepAlive, .milliseconds(700))
        try await withGateway(before: upstream, options: options) { gateway async throws in
            let client = try await connect(port: gateway.port, reading: false, receiveBuffer: 65_536)
            try await client.send(gateway.get())
            for _ in 0..<40 where client.received < size {
                try await client.setReading(true)
                try await Task.sleep(for: .milliseconds(10))
                try await client.setReading(false)
                try await Task.sleep(for: .milliseconds(90))
            }
            try await client.setReading(true)
            try await eventually("the whole response", within: .seconds(30)) {
                client.received > size || client.isClosed
            }
            #expect(client.received > size)
        }
    }
}
