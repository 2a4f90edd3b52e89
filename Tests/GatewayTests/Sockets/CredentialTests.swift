import AuthKeys
import Gateway
import TestSupport
import Testing

/// The admission of credentials, and the responses to refused ones.
@Suite("Credentials at the gateway") struct CredentialTests {
    private func request(_ fields: String, method: String = "GET", path: String = "/") -> String {
        "\(method) \(path) HTTP/1.1\r\nHost: api.test\r\n\(fields)\r\n"
    }

    @Test("a valid key is accepted in either field and in both") func validKey() async throws {
        try await withGateway(before: RawUpstream()) { gateway async throws in
            let token = gateway.token.value
            for fields in [
                "Authorization: Bearer \(token)\r\n", "authorization: bEARER   \(token)\r\n", "X-API-Key: \(token)\r\n",
                "x-api-key:\t\(token) \r\n", "X-API-Key: \(token)\r\nAuthorization: Bearer \(token)\r\n",
                "Authorization: Basic dTpw\r\nX-API-Key: \(token)\r\n",
            ] {
                #expect(try await gateway.exchange(request(fields)).status == 200, "\(fields.prefix(20))")
            }
        }
    }

    @Test("two credentials are ambiguous, and the first does not win") func ambiguous() async throws {
        let upstream = try await RawUpstream()
        try await withGateway(before: upstream) { gateway async throws in
            let (token, other) = (gateway.token.value, Token.generate().value)
            for fields in [
                "Authorization: Bearer \(token)\r\nX-API-Key: \(other)\r\n",
                "X-API-Key: \(other)\r\nAuthorization: Bearer \(token)\r\n",
                "X-API-Key: \(token)\r\nX-API-Key: \(token)\r\n",
                "Authorization: Bearer \(token)\r\nAuthorization: Bearer \(token)\r\n",
                "Authorization: Bearer \(token)\r\nAuthorization: Basic dTpw\r\n",
            ] {
                let response = try await gateway.exchange(request(fields))
                #expect(response.status == 400)
                #expect(response.text.contains(#""code":"ambiguous_credentials""#))
                #expect(response.text.contains(#""type":"invalid_request_error""#))
            }
            #expect(upstream.requests.isEmpty)
        }
    }

    @Test("a refusal without a credential names what is missing") func missing() async throws {
        let upstream = try await RawUpstream()
        try await withGateway(before: upstream) { gateway async throws in
            for fields in ["", "Authorization: Basic dTpw\r\n", "Authorization: Bearerkw_x\r\n"] {
                let response = try await gateway.exchange(request(fields))
                #expect(response.status == 401)
                #expect(response["WWW-Authenticate"] == [#"Bearer realm="keyward""#])
                #expect(response["Content-Type"] == ["application/json"])
                #expect(response["X-Request-Id"].first?.count == 32)
                #expect(
                    response.text
                        == #"{"error":{"type":"authentication_error","message":"\#(Refusal.missing.message)","#
                        + #""param":null,"code":"key_missing"}}"#)
            }
            #expect(upstream.requests.isEmpty)
        }
    }

    @Test("a key in the query string is ignored") func queryString() async throws {
        try await withGateway(before: RawUpstream()) { gateway async throws in
            let response = try await gateway.exchange(request("", path: "/?api_key=\(gateway.token.value)"))
            #expect(response.status == 401)
        }
    }

    @Test("each refusal has its code and a challenge") func refusals() async throws {
        try await withGateway(before: RawUpstream()) { gateway async throws in
            let (expired, inactive) = (Token.generate(), Token.generate())
            gateway.index.apply(
                KeyEntry(
                    digest: expired.digest, keyID: .generate(), version: 1, state: .active,
                    expiresAt: Timestamp(microseconds: 1), name: "old"))
            gateway.index.apply(
                KeyEntry(digest: inactive.digest, keyID: .generate(), version: 1, state: .deactivated, name: "off"))
            for (token, refusal) in [
                ("nonsense", Refusal.malformed), ("", .malformed), (Token.generate().value, .unknown),
                (expired.value, .expired), (inactive.value, .inactive),
            ] {
                let response = try await gateway.exchange(request("Authorization: Bearer \(token)\r\n"))
                #expect(response.status == 401)
                #expect(response.text.contains(#""code":"\#(refusal.code)""#))
                #expect(
                    response["WWW-Authenticate"] == [
                        #"Bearer realm="keyward", error="invalid_token", error_description="\#(refusal.message)""#
                    ])
            }
        }
    }

    @Test("a field that is not configured for credentials is not the gateway's") func otherField() async throws {
        let upstream = try await RawUpstream()
        try await withGateway(before: upstream, options: .with(\.credentials, .xAPIKey)) { gateway async throws in
            let token = gateway.token.value
            #expect(try await gateway.exchange(request("Authorization: Bearer \(token)\r\n")).status == 401)
            let both = "Authorization: Bearer a-user's\r\nX-API-Key: \(token)\r\n"
            #expect(try await gateway.exchange(request(both)).status == 200)
            #expect(upstream.requests.first?["Authorization"] == ["Bearer a-user's"])
            #expect(upstream.requests.first?["X-API-Key"] == [])
        }
    }

    @Test("the credential is not forwarded unless configured") func forwarding() async throws {
        let upstream = try await RawUpstream()
        let fields = { (token: String) in "Authorization: Bearer \(token)\r\nX-API-Key: \(token)\r\n" }
        try await withGateway(upstream: upstream.port) { gateway async throws in
            #expect(try await gateway.exchange(request(fields(gateway.token.value))).status == 200)
            #expect(upstream.requests.last?.text.contains(gateway.token.value) == false)
            #expect(upstream.requests.last?["Authorization"] == [])
        }
        try await withGateway(before: upstream, options: .with(\.forwardsCredentials, true)) { gateway async throws in
            #expect(try await gateway.exchange(request(fields(gateway.token.value))).status == 200)
            #expect(upstream.requests.last?["Authorization"] == ["Bearer \(gateway.token.value)"])
            #expect(upstream.requests.last?["X-API-Key"] == [gateway.token.value])
        }
    }

    @Test("a revoked key is refused on the connection it used before") func revokedKey() async throws {
        try await withGateway(before: RawUpstream()) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send(gateway.get())
            #expect(try await client.response().status == 200)
            gateway.index.apply(
                KeyEntry(
                    digest: gateway.token.digest, keyID: gateway.keyID, version: 2, state: .deactivated,
                    name: "test key"))
            try await client.send(gateway.get())
            #expect(try await client.response().status == 401)
        }
    }

    @Test("a key that is not in the index yet is found in the store") func lookup() async throws {
        let upstream = try await RawUpstream()
        try await withGateway(before: upstream) { gateway async throws in
            let token = Token.generate()
            let key = StoreConformance.newKey(name: "made elsewhere", digest: token.digest)
            _ = try await gateway.store.create(key, claim: nil)
            let body = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-API-Key: \(token.value)\r\n\r\nhello"
            #expect(try await gateway.exchange(body).status == 200)
            #expect(upstream.requests.last?["X-Keyward-Key-Name"] == ["made elsewhere"])
            #expect(upstream.requests.last?.body == "hello")
            #expect(gateway.store.finds == 1)
        }
    }

    @Test("a key that does not exist is unknown, and the connection persists") func unknownKey() async throws {
        try await withGateway(before: RawUpstream()) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send(request("X-API-Key: \(Token.generate().value)\r\n"))
            #expect(try await client.response().text.contains("key_unknown"))
            try await client.send(gateway.get())
            #expect(try await client.response().status == 200)
        }
    }

    @Test("an unavailable database is never blamed on the key") func databaseDown() async throws {
        try await withGateway(before: RawUpstream()) { gateway async throws in
            gateway.store.isDown = true
            let response = try await gateway.exchange(request("X-API-Key: \(Token.generate().value)\r\n"))
            #expect(response.status == 503)
            #expect(response["Retry-After"] == ["1"])
            #expect(response.text.contains(#""type":"unavailable_error""#))
            #expect(try await gateway.exchange(gateway.get()).status == 200)
        }
    }

    @Test("before the keys are loaded, no request passes and no key is blamed") func notLoaded() async throws {
        let upstream = try await RawUpstream()
        try await withGateway(before: upstream, options: HarnessOptions(isServing: false)) { gateway async throws in
            let response = try await gateway.exchange(gateway.get())
            #expect(response.status == 503)
            #expect(response["WWW-Authenticate"] == [])
            #expect(upstream.requests.isEmpty)
        }
    }

    @Test("a browser can read a refusal") func crossOrigin() async throws {
        try await withGateway(before: RawUpstream()) { gateway async throws in
            let response = try await gateway.exchange(request("Origin: https://app.test\r\n"))
            #expect(response.status == 401)
            #expect(response["Access-Control-Allow-Origin"] == ["*"])
            #expect(try await gateway.exchange(request(""))["Access-Control-Allow-Origin"] == [])
        }
    }

    @Test("a real preflight passes without a key and without an identity") func preflight() async throws {
        let upstream = try await RawUpstream()
        let preflight = request(
            "Origin: https://app.test\r\nAccess-Control-Request-Method: POST\r\nX-Keyward-Key-Id: me\r\n",
            method: "OPTIONS")
        try await withGateway(upstream: upstream.port) { gateway async throws in
            #expect(try await gateway.exchange(preflight).status == 200)
            #expect(upstream.requests.last?["X-Keyward-Key-Id"] == [])
            let named =
                "Origin: a\r\nAccess-Control-Request-Method: PUT\r\nConnection: Origin, Access-Control-Request-Method\r\n"
            #expect(try await gateway.exchange(request(named, method: "OPTIONS")).status == 200)
            #expect(
                upstream.requests.last?["Origin"] == ["a"],
                "a request admitted as a preflight must reach the upstream as one")
            for fields in [
                "", "Origin: https://app.test\r\n", "Access-Control-Request-Method: POST\r\n",
                "Origin: a\r\nAccess-Control-Request-Method: POST\r\nContent-Length: 1\r\n",
            ] {
                #expect(try await gateway.exchange(request(fields, method: "OPTIONS")).status == 401)
            }
            #expect(
                try await gateway.exchange(request("Origin: a\r\nAccess-Control-Request-Method: POST\r\n")).status
                    == 401)
        }
        try await withGateway(before: upstream, options: .with(\.passesPreflights, false)) { gateway async throws in
            #expect(try await gateway.exchange(preflight).status == 401)
        }
    }

    @Test("a refused upload gets a response and is closed, not drained") func refusedUpload() async throws {
        let upstream = try await RawUpstream()
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\nsome")
            let response = try await client.response()
            #expect(response.status == 401)
            #expect(response["Connection"] == ["close"])
            try await client.waitForClose(within: .seconds(10))
            #expect(upstream.connections.isEmpty)
        }
    }
}
