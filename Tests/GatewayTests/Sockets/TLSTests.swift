import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import TestSupport
import Testing

@testable import Gateway

/// TLS on both sides of the gateway.
@Suite("TLS") struct TLSTests {
    /// The files of a certificate and its private key, in their own folder.
    struct Files {
        let certificate: CertificateFiles
        let authority: String

        init() throws {
            let folder = try TestFolder.make("tls")
            mkdir(folder, 0o755)
            certificate = CertificateFiles(chain: folder + "/chain.pem", key: folder + "/key.pem")
            authority = folder + "/authority.pem"
            try write(chain: TestCertificates.server, key: TestCertificates.serverKey)
            try Self.write(TestCertificates.authority, to: authority)
        }

        func write(chain: String, key: String) throws {
            try Self.write(chain, to: certificate.chain)
            try Self.write(key, to: certificate.key)
        }

        private static func write(_ text: String, to path: String) throws {
            let file = try #require(fopen(path, "w"))
            fputs(text, file)
            fclose(file)
        }
    }

    // MARK: The listener

    @Test("a client with TLS is served, and the upstream gets https as the protocol") func server() async throws {
        let upstream = try await RawUpstream()
        let files = try Files()
        try await withGateway(before: upstream, options: .with(\.certificate, files.certificate)) {
            gateway async throws in
            let client = try await connectTLS(port: gateway.port)
            try await client.send(gateway.get() + gateway.get())
            #expect(try await client.response().text == "ok")
            #expect(try await client.response().text == "ok")
            #expect(upstream.requests[0]["X-Forwarded-Proto"] == ["https"])
            await client.close()
        }
    }

    @Test("a client without TLS gets no response, and its connection is closed") func plainClient() async throws {
        let upstream = try await RawUpstream()
        let files = try Files()
        let options = HarnessOptions.with(\.certificate, files.certificate)
            .with(\.timeouts.requestHead, .milliseconds(200))
        try await withGateway(before: upstream, options: options) { gateway async throws in
            let plain = try await connect(port: gateway.port)
            try await plain.send(gateway.get())
            try await plain.waitForClose()
            #expect(!plain.text.contains("HTTP/1.1"))
            let silent = try await connect(port: gateway.port)
            try await silent.waitForClose()
            #expect(upstream.connections.isEmpty)
        }
    }

    @Test("a reloaded certificate serves new connections") func reload() async throws {
        let upstream = try await RawUpstream()
        let files = try Files()
        try await withGateway(before: upstream, options: .with(\.certificate, files.certificate)) {
            gateway async throws in
            let before = try await connectTLS(port: gateway.port)
            #expect(try await before.peerCertificate() == TestCertificates.server.certificate)
            try files.write(chain: TestCertificates.renewed, key: TestCertificates.renewedKey)
            try gateway.gateway.reloadCertificate()
            let after = try await connectTLS(port: gateway.port)
            #expect(try await after.peerCertificate() == TestCertificates.renewed.certificate)
            try await before.send(gateway.get())
            #expect(try await before.response().text == "ok")
        }
    }

    @Test("a certificate that cannot be used leaves the old one in use") func failedReload() async throws {
        let upstream = try await RawUpstream()
        let files = try Files()
        try await withGateway(before: upstream, options: .with(\.certificate, files.certificate)) {
            gateway async throws in
            try files.write(chain: TestCertificates.renewed, key: TestCertificates.serverKey)
            #expect(throws: GatewayError.self) { try gateway.gateway.reloadCertificate() }
            let client = try await connectTLS(port: gateway.port)
            #expect(try await client.peerCertificate() == TestCertificates.server.certificate)
        }
    }

    @Test("a file that is missing, is not PEM, or does not match has its own error")
    func fileErrors() throws {
        func reason(_ change: (Files) throws -> Void) throws -> String {
            let files = try Files()
            try change(files)
            let gateway = try #require(throws: GatewayError.self) { try TLSContexts.server(files.certificate) }
            return "\(gateway)".replacing(files.certificate.chain, with: "CHAIN").replacing(
                files.certificate.key, with: "KEY")
        }
        let pem = (TestCertificates.server, TestCertificates.serverKey)
        #expect(try reason { unlink($0.certificate.chain) } == "CHAIN cannot be used: No such file or directory")
        #expect(try reason { unlink($0.certificate.key) } == "KEY cannot be used: No such file or directory")
        for text in ["", "no PEM", pem.1] {
            #expect(
                try reason { try $0.write(chain: text, key: pem.1) }
                    == "CHAIN cannot be used: it contains no certificate in PEM")
        }
        for text in ["", "no PEM", pem.0] {
            #expect(
                try reason { try $0.write(chain: pem.0, key: text) }
                    == "KEY cannot be used: it contains no private key in PEM, or one with a passphrase")
        }
        #expect(
            try reason { try $0.write(chain: pem.0, key: TestCertificates.renewedKey) }
                == "KEY cannot be used: the private key does not match the first certificate in CHAIN")
    }

    /// Returns true if Python's client and the gateway agree on one of the given cipher suites of TLS 1.2.
    private func agrees(port: Int, on suites: String) async throws -> Bool {
        let script = """
            import socket, ssl, sys
            context = ssl._create_unverified_context()
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(sys.argv[2] + ":@SECLEVEL=0")
            try:
                context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
            except ssl.SSLError:
                sys.exit(3)
            """
        let process = ChildProcess("/usr/bin/env", ["python3", "-c", script, String(port), suites])
        let status = try await process.waitForExit()
        #expect([0, 3].contains(status), "\(process.log.text)")
        return status == 0
    }

    @Test("cipher suites without forward secrecy or authenticated encryption are disabled")
    func suites() async throws {
        let upstream = try await RawUpstream()
        let files = try Files()
        try await withGateway(before: upstream, options: .with(\.certificate, files.certificate)) {
            gateway async throws in
            for strong in [
                "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305",
            ] {
                #expect(try await agrees(port: gateway.port, on: strong), "\(strong)")
            }
            for weak in ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "kRSA", "SHA1", "SHA256:!AESGCM"] {
                #expect(try await !agrees(port: gateway.port, on: weak), "\(weak)")
            }
        }
    }

    @Test("a session is resumed with TLS 1.2 and 1.3", arguments: ["TLSv1_2", "TLSv1_3"])
    func resumption(_ version: String) async throws {
        let upstream = try await RawUpstream()
        let files = try Files()
        try await withGateway(before: upstream, options: .with(\.certificate, files.certificate).with(\.threads, 3)) {
            gateway async throws in
            let script = """
                import socket, ssl, sys
                context = ssl._create_unverified_context()
                context.minimum_version = context.maximum_version = ssl.TLSVersion[sys.argv[2]]
                session, resumed = None, []
                for _ in range(5):
                    raw = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
                    connection = context.wrap_socket(raw, session=session)
                    connection.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
                    connection.recv(4096)
                    resumed.append(connection.session_reused)
                    session = connection.session
                    connection.close()
                print(resumed)
                """
            let process = ChildProcess("/usr/bin/env", ["python3", "-c", script, String(gateway.port), version])
            #expect(try await process.waitForExit() == 0, "\(process.log.text)")
            #expect(process.output.text == "[False, True, True, True, True]")
        }
    }

    @Test("an aborted stream does not look complete") func abortedStream() async throws {
        let upstream = try await RawUpstream { _ in .send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf") }
        let files = try Files()
        try await withGateway(before: upstream, options: .with(\.certificate, files.certificate)) {
            gateway async throws in
            let client = try await connectTLS(port: gateway.port)
            try await client.send(gateway.get())
            try await eventually("half of the response") { client.text.contains("half") }
            gateway.revoke()
            try await client.waitForClose(within: .seconds(2))
            #expect(client.wasReset)
        }
    }

    @Test("a shutdown does not wait for handshakes, and aborts at its timeout") func shutdown() async throws {
        let upstream = try await RawUpstream { _ in .nothing }
        let files = try Files()
        let options = HarnessOptions.with(\.certificate, files.certificate).with(\.timeouts.drain, .milliseconds(300))
        let began = try await withGateway(before: upstream, options: options) { gateway async throws in
            let silent = try await connect(port: gateway.port)
            let client = try await connectTLS(port: gateway.port)
            try await client.send(gateway.get())
            try await eventually("the request") { !upstream.requests.isEmpty }
            try await client.setReading(false)
            #expect(!silent.isClosed)
            return ContinuousClock.now
        }
        #expect(ContinuousClock.now - began < .seconds(4))
    }

    // MARK: The upstream

    /// An upstream that uses TLS with the given certificate.
    private func secureUpstream(
        chain: String = TestCertificates.server, key: String = TestCertificates.serverKey
    ) async throws -> RawUpstream {
        let context = try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: [.certificate(chain.certificate)],
                privateKey: .privateKey(NIOSSLPrivateKey(bytes: Array(key.utf8), format: .pem))))
        return try await RawUpstream(tls: context)
    }

    private func options(_ upstream: RawUpstream, host: String, trust: UpstreamTrust) -> HarnessOptions {
        HarnessOptions.with(\.routes, [Route(upstreams: [Upstream(host: host, port: upstream.port, isSecure: true)])])
            .with(\.upstreamTrust, trust)
    }

    @Test("an upstream with a valid certificate is used over TLS", arguments: ["localhost", "127.0.0.1"])
    func secureUpstreams(_ host: String) async throws {
        let upstream = try await secureUpstream()
        let trust = UpstreamTrust.authorities(file: try Files().authority)
        try await withGateway(before: upstream, options: options(upstream, host: host, trust: trust)) {
            gateway async throws in
            for _ in 0..<3 { #expect(try await gateway.exchange(gateway.get()).text == "ok") }
            #expect(upstream.connections.count == 1)
        }
    }

    @Test("an upstream whose certificate is untrusted or for another name gets no request")
    func invalidCertificates() async throws {
        let elsewhere = try await secureUpstream(chain: TestCertificates.elsewhere, key: TestCertificates.elsewhereKey)
        let trust = UpstreamTrust.authorities(file: try Files().authority)
        for (upstream, trust) in [(elsewhere, trust), (try await secureUpstream(), .system)] {
            try await withGateway(before: upstream, options: options(upstream, host: "localhost", trust: trust)) {
                gateway async throws in
                let response = try await gateway.exchange(gateway.get())
                #expect(response.status == 502)
                #expect(response.text.contains("upstream_unreachable"))
                #expect(upstream.requests.isEmpty)
            }
        }
    }

    @Test("an upstream that never completes the handshake costs at most the connect timeout")
    func handshakeTimeout() async throws {
        let mute = try await RawUpstream { _ in .nothing }
        let trust = UpstreamTrust.authorities(file: try Files().authority)
        let options = options(mute, host: "127.0.0.1", trust: trust).with(\.timeouts.connect, .milliseconds(300))
        try await withGateway(before: mute, options: options) { gateway async throws in
            let response = try await gateway.exchange(gateway.get())
            #expect(response.status == 504)
            try await mute.connections[0].waitForClose()
        }
    }
}

extension String {
    /// The first certificate of a PEM text.
    var certificate: NIOSSLCertificate {
        get throws { try #require(try NIOSSLCertificate.fromPEMBytes(Array(utf8)).first) }
    }
}

/// Connects to a local port over TLS, trusting the test authority.
func connectTLS(port: Int, protocols: [String] = []) async throws -> RawConnection {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.trustRoots = .certificates([try TestCertificates.authority.certificate])
    configuration.applicationProtocols = protocols
    let context = try NIOSSLContext(configuration: configuration)
    let inbox = Inboxes()
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandlers([
                    try NIOSSLClientHandler(context: context, serverHostname: "localhost"), InboxHandler(inbox),
                ])
            }
        }
        .connect(host: "127.0.0.1", port: port).get()
    return RawConnection(channel: channel, inbox: inbox)
}

extension RawConnection {
    /// The certificate that the peer presented.
    func peerCertificate() async throws -> NIOSSLCertificate? {
        for _ in 0..<500 {
            let certificate = try await channel.pipeline.handler(type: NIOSSLClientHandler.self).map {
                $0.peerCertificate
            }.get()
            if let certificate { return certificate }
            try await Task.sleep(for: .milliseconds(10))
        }
        return nil
    }
}
