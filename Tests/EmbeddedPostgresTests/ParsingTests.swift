import Testing

@testable import EmbeddedPostgres

@Suite("Parsing and quoting")
struct ParsingTests {
    @Test("a complete postmaster.pid is parsed")
    func wholePostmasterFile() throws {
        let file = try #require(
            PostmasterFile("4711\n/data/cluster\n1700000000\n5432\n/data/socket\n\n  12345   6\nready   \n"))
        #expect(file.processID == 4711)
        #expect(file.startTime == 1_700_000_000)
        #expect(file.port == 5432)
        #expect(file.socketFolder == "/data/socket")
        #expect(file.status == .ready)
    }

    @Test("a postmaster.pid without a status means that the server is starting")
    func youngPostmasterFile() throws {
        let file = try #require(PostmasterFile("4711\n/data/cluster\n17"))
        #expect(file.status == .starting)
        #expect(file.socketFolder == nil)
    }

    @Test(
        "a postmaster.pid without a valid process id is refused",
        arguments: ["", "\n", "-4711\n", "0\n", "99999999999\n", "x"])
    func noPostmasterFile(contents: String) {
        #expect(PostmasterFile(contents) == nil)
    }

    @Test("a process's state and start time are parsed for any process name")
    func startTime() {
        let rest = " 1 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 123456 0 0"
        #expect(ServerProcess.status(in: "7 (postgres) S" + rest)?.started == 123456)
        #expect(ServerProcess.status(in: "7 (postgres) T" + rest)?.state == "T")
        #expect(ServerProcess.status(in: "7 (a) Z 1 (b) S" + rest)?.started == 123456)
        #expect(ServerProcess.status(in: "7 (postgres) Z" + rest)?.started == nil, "a zombie counts as dead")
        #expect(ServerProcess.status(in: "7 (postgres) S 1")?.started == nil)
        #expect(ServerProcess.status(in: "")?.started == nil)
    }

    @Test("the versions of packaged, plain and development servers are parsed")
    func version() {
        #expect(ServerBinaries.major(inVersion: "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n") == 15)
        #expect(ServerBinaries.major(inVersion: "postgres (PostgreSQL) 19devel\n") == 19)
        #expect(ServerBinaries.major(inVersion: "something else") == nil)
    }

    @Test("quotes and backslashes in a connection string are escaped")
    func quoting() {
        #expect(ConnectionString.quoted(#"/a 'b' \c"#) == #"'/a \'b\' \\c'"#)
        #expect(ConnectionString.quoted("'\u{301}").utf8.elementsEqual("'\\'\u{301}'".utf8))
    }

    @Test("a socket path may have 107 bytes")
    func socketPath() {
        let rest = "/.s.PGSQL.5432".utf8.count
        #expect(SocketFolder.fits("/" + String(repeating: "d", count: 106 - rest)))
        #expect(!SocketFolder.fits("/" + String(repeating: "d", count: 107 - rest)))
        #expect(!SocketFolder.fits("/" + String(repeating: "ü", count: 60)))
    }

    @Test("quotes in a user name are escaped in the ident map")
    func identities() {
        #expect(AccessRules.identities(["root", #"a"b"#]) == "keyward \"root\" keyward\nkeyward \"a\"\"b\" keyward\n")
        #expect(
            AccessRules.identities(["\"\u{301}"]).utf8.elementsEqual("keyward \"\"\"\u{301}\" keyward\n".utf8))
    }
}
