import Testing

@testable import LibPQ

@Suite("PostgresError") struct ErrorTests {
    @Test("an error contains the server's SQLSTATE and constraint") func serverError() async throws {
        try await withConnection { connection in
            try await connection.execute(
                script: "CREATE TEMP TABLE t (i int8 CONSTRAINT one_i UNIQUE, CONSTRAINT positive CHECK (i > 0))")
            _ = try await connection.query("INSERT INTO t VALUES ($1)", [.int64(1)])
            let duplicate = await postgresError {
                _ = try await connection.query("INSERT INTO t VALUES ($1)", [.int64(1)])
            }
            #expect(duplicate?.kind == .server(sqlState: "23505"))
            #expect(duplicate?.sqlState == "23505")
            #expect(duplicate?.constraintName == "one_i")
            let negative = await postgresError {
                _ = try await connection.query("INSERT INTO t VALUES ($1)", [.int64(-1)])
            }
            #expect(negative?.constraintName == "positive")
            let script = await postgresError { try await connection.execute(script: "SELECT 1; SELECT 1/0; SELECT 2") }
            #expect(script?.sqlState == "22012")
            #expect(script?.isUnavailable == false)
            #expect(script?.isRetryable == false)
            #expect(connection.isUsable)
        }
    }

    @Test("descriptions and dumps contain no values and no passwords") func noLeaks() async throws {
        let canary = "canary-7f3a"
        var texts: [String] = []
        func note(_ value: Any) {
            texts.append("\(value)")
            // The dump of an error contains the detail, for developers.
            if value is PostgresError { return }
            var dumped = ""
            dump(value, to: &dumped)
            texts.append(dumped)
        }
        for conninfo in [
            "password=\(canary) host", "postgres://u:\(canary)@[::1", "password='\(canary) x=1",
            "password=a \(canary)=1",
        ] {
            if let error = await postgresError({ _ = try PostgresTarget(conninfo) }) {
                #expect(error.kind == .invalidTarget)
                note(error)
                texts.append(error.debugDescription)
            }
        }
        let target = try PostgresTarget("postgres://joe:\(canary)@localhost:1/db?sslmode=disable")
        note(target)
        texts.append(String(reflecting: target))
        #expect("\(target)" == "host=localhost port=1 dbname=db user=joe sslmode=disable")
        if let refused = await postgresError({ _ = try await PostgresConnection.connect(to: target, logger: quiet) }) {
            #expect(refused.kind == .connectionFailed)
            note(refused)
            texts.append(refused.debugDescription)
        }
        try await withConnection { connection in
            try await connection.execute(script: "CREATE TEMP TABLE t (x text UNIQUE)")
            for _ in 1...2 {
                do throws(PostgresError) {
                    _ = try await connection.query("INSERT INTO t VALUES ($1) -- \(canary)", [.text(canary)])
                } catch {
                    note(error)
                    #expect(error.debugDescription.contains(canary), "the debug description must contain the detail")
                }
            }
            if let error = await postgresError({ _ = try await connection.query("SELECT '\(canary)'::int4") }) {
                note(error)
            }
        }
        note(PostgresParameter.text(canary))
        note(PostgresStatement("SELECT 1", [.bytes(Array(canary.utf8))]).parameters)
        #expect(texts.count > 9)
        for text in texts { #expect(!text.contains(canary)) }
    }

    @Test("a refused connection contains the server's SQLSTATE") func refusedConnection() async throws {
        let server = try await testServer()
        let target = try PostgresTarget(server + " dbname=no_such_database")
        let error = await postgresError { _ = try await PostgresConnection.connect(to: target, logger: quiet) }
        #expect(error?.kind == .connectionFailed)
        #expect(error?.sqlState == "3D000")
        #expect(error?.isRetryable == true)
        #expect(error?.isUnavailable == true)
    }

    @Test("the SQLSTATE is parsed from a verbose message") func verboseMessage() {
        let text = "connection to server on socket \"/x/.s.PGSQL.5432\" failed: FATAL:  57P03: starting up\nLOCATION: x"
        #expect(PostgresError.sqlState(inVerboseMessage: text) == "57P03")
        #expect(PostgresError.sqlState(inVerboseMessage: "connection refused: port 5432: no") == nil)
        #expect(PostgresError.sqlState(inVerboseMessage: "") == nil)
    }

    @Test("a target parses URIs and keyword strings, and adds timeouts and keepalives") func targets() throws {
        let target = try PostgresTarget("postgresql:///db?host=/tmp&connect_timeout=2")
        let options = Dictionary(uniqueKeysWithValues: target.options.map { ($0.keyword, $0.value) })
        #expect(options["connect_timeout"] == "2")
        #expect(options["client_encoding"] == "UTF8")
        #expect(options["tcp_user_timeout"] != nil && options["keepalives_idle"] != nil)
        #expect(target.connectTimeout == .seconds(2))
        #expect(try PostgresTarget("client_encoding=latin1").options.contains { $0 == ("client_encoding", "UTF8") })
        #expect(try PostgresTarget("").connectTimeout == .seconds(5))
        #expect(try PostgresTarget("service=x").connectTimeout == nil)
        for wrong in ["host", "hots=x", "postgres://[", "host=a\0b"] {
            #expect(throws: PostgresError.self) { try PostgresTarget(wrong) }
        }
    }

    @Test("a COPY in a query or script closes the connection") func copyInQuery() async throws {
        for sql in ["COPY pg_class TO STDOUT", "COPY pg_class FROM STDIN"] {
            try await withConnection { connection in
                let error = await postgresError { _ = try await connection.query(sql) }
                #expect(error != nil)
            }
            try await withConnection { connection in
                let error = await postgresError { try await connection.execute(script: sql) }
                #expect(error?.kind == .invalidParameter)
                #expect(!connection.isUsable)
            }
        }
    }
}
