import TestSupport
import Testing

@testable import LibPQ

@Suite("Connection strings")
struct ConnectionStringTests {
    @Test(
        "the error of a URL with an unencoded character names its code, and shows no part of the string",
        arguments: [
            ("postgres://app:s3cr/et@db.internal/keyward", "%2F"),
            ("postgres://app:12/s3cret@db.internal/keyward", "%2F"),
            ("postgresql://app:12/s3cr?et@db.internal/keyward", "%2F"),
            ("postgres://app:1/s3cr?et=@db.internal/keyward", "%2F"),
            ("postgres://app:s3@cret@db.internal/keyward", "%40"),
            ("postgres://app:s3cr@et@db.internal", "%40"),
            ("postgres://app:s3@cr/et@db.internal/keyward", "%2F"),
            ("postgres://app:s3cret@db.internal/cr/et@keyward", "%2F"),
            ("postgres://app:s3%cret@db.internal/keyward", "%25"),
            ("postgres://app:s3cret%@db.internal/keyward", "%25"),
            ("postgres://app:s3cret", "port"),
            ("postgres://app:s3cret@[::1/keyward", "%2F"),
            ("postgres://app@db.internal:s3cret/keyward", "port"),
            ("postgress://app:s3cret@db.internal/keyward", "postgres://"),
            ("host=db.internal password=a s3cret", "single quotes"),
            ("host=db.internal password=a s3cret=b", "single quotes"),
            ("host=db.internal port=s3cret", "port"),
            ("host=db.internal port=70000 password=s3cret", "port"),
            ("host=a\u{0}s3cret", "host="),
            ("host=db.internal connect_timeout=s3cret", "connect_timeout"),
            ("postgres://db.internal/keyward?connect_timeout=s3cret", "connect_timeout"),
        ])
    func mistyped(text: String, names: String) async throws {
        let error = try #require(await postgresError { _ = try PostgresTarget(text) })
        #expect(error.kind == .invalidTarget)
        for shown in ["\(error)", error.debugDescription] {
            #expect(shown.contains(names), "\(shown)")
            for part in ["s3", "cret", "app", "internal", "12", "70000"] { #expect(!shown.contains(part), "\(shown)") }
        }
    }

    @Test(
        "a string that libpq accepts is accepted",
        arguments: [
            "postgres://app:s3cr%2Fet@db/keyward", "postgres://app:p%40ss@a:5432,b:5433/keyward?sslmode=disable",
            "postgres:///keyward?host=/tmp&user=a@b", "postgres://app:pa?ss@db/keyward",
            "postgres://app@[::1]:5432/a@b",
            "host=/tmp port=5432,5433 dbname=k", "port='' host=h", "", "service=x", "postgres://",
            "password='a b' host=h", "postgres://a:b:c@h/db",
        ])
    func accepted(text: String) throws {
        _ = try PostgresTarget(text)
    }

    @Test(
        "an option that libpq refuses is reported with libpq's reason, without a retry",
        arguments: [
            ("sslmode=requir", "invalid sslmode value: \"requir\""),
            ("service=no_such_service", "definition of service \"no_such_service\" not found"),
            ("keepalives_idle=soon", "invalid integer value \"soon\" for connection option \"keepalives_idle\""),
            ("target_session_attrs=any_will_do", "invalid target_session_attrs value"),
            ("host=a,b port=1,2,3", "could not match"),
        ])
    func refusedOptions(text: String, reason: String) async throws {
        let target = try PostgresTarget("host=127.0.0.1 " + text)
        let start = ContinuousClock.now
        let error = await postgresError {
            _ = try await PostgresConnection.connect(to: target, retryingFor: .seconds(120), logger: quiet)
        }
        #expect(error?.description.contains(reason) == true, "\(error as Any)")
        #expect(.now - start < .seconds(60))
    }

    @Test("an unknown role or setting, or an invalid value, is reported without a retry")
    func refusedByTheServer() async throws {
        let server = try await TestServer.start()
        let trusted = try await server.admit(role: "another")
        for (text, words) in [
            (trusted + " options='-c no_such_setting=1'", "does not know a setting"),
            (trusted + " options='-c work_mem=lots'", "does not accept the value"),
        ] {
            let error = await postgresError {
                _ = try await PostgresConnection.connect(
                    to: PostgresTarget(text), retryingFor: .seconds(120), logger: quiet)
            }
            #expect(error?.description.contains(words) == true, "\(error as Any)")
        }
        try await Psql.run("DROP ROLE another", on: server.connectionString)
        let error = await postgresError {
            _ = try await PostgresConnection.connect(
                to: PostgresTarget(trusted), retryingFor: .seconds(120), logger: quiet)
        }
        #expect(error?.description.contains("the role does not exist") == true, "\(error as Any)")
        await server.destroy()
    }

    @Test(
        "a failure that only a change of settings fixes is distinguished from a temporary one",
        arguments: [
            ("connection to server at \"a\", port 1 failed: fe_sendauth: no password supplied", true),
            ("connection to server at \"a\", port 1 failed: server does not support SSL, but SSL was required", true),
            ("connection to server at \"a\", port 1 failed: root certificate file \"/x\" does not exist", true),
            ("connection to server at \"a\", port 1 failed: SSL error: certificate verify failed", true),
            ("private key file \"/x\" has group or world access", true),
            ("invalid gssencmode value: \"x\"", true),
            ("connection to server at \"a\", port 1 failed: Connection refused", false),
            ("could not translate host name \"a\" to address: Name or service not known", false),
            ("connection to server on socket \"/a\" failed: No such file or directory", false),
            (
                "connection to server at \"a\", port 1 failed: SSL error: certificate verify failed\n"
                    + "connection to server at \"b\", port 1 failed: Connection refused", false
            ),
        ])
    func mistakes(message: String, isForGood: Bool) {
        let error = PostgresError(.connectionFailed, detail: message, nothingWasSent: true)
        #expect(error.isRefusedForGood == isForGood)
        #expect("\(error)" != "no connection to the database")
    }

    @Test("connecting to an unreachable database is retried until the time limit, with a last attempt at the end")
    func waitsToTheEnd() async throws {
        let limit = Duration.milliseconds(1_200)
        let start = ContinuousClock.now
        let error = await postgresError {
            _ = try await PostgresConnection.connect(
                to: PostgresTarget("host=/nonexistent"), retryingFor: limit, logger: quiet)
        }
        #expect(error?.kind == .connectionFailed)
        #expect(.now - start >= limit)
    }
}
