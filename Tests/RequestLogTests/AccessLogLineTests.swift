import AuthKeys
import HTTPCredentials
import RequestLog
import TestSupport
import Testing

@Suite("Lines of the access log")
struct AccessLogLineTests {
    private func text(_ line: TestLine, upstream: String? = nil) -> String {
        var bytes: [UInt8] = []
        line.with { AccessLogLine.append($0, upstream: upstream, instance: "gw-1", to: &bytes) }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test("a line is a JSON object with the members of the API")
    func whole() {
        let line = TestLine.with {
            ($0.code, $0.owner, $0.query, $0.agent) = ("rate_limited", "acme/\"ä\"", "a=1", "curl")
            ($0.outcome, $0.status, $0.flags, $0.weight) = (.limited, 429, [.http2, .tls], 10)
            ($0.bytesIn, $0.bytesOut) = (3, 212)
        }
        let expected =
            #"{"at":"2023-11-14T22:13:20.123456Z","request_id":"00000000000000010000000000000002","#
            + #""auth_key_id":"00000000-0000-0003-0000-000000000004","owner":"acme/\"ä\"","method":"GET","#
            + #""path":"/v1/reports","query":"a=1","status":429,"code":"rate_limited","outcome":"limited","#
            + #""duration_ms":1.500,"upstream_ms":0.900,"bytes_in":3,"bytes_out":212,"client_ip":"192.0.2.7","#
            + #""user_agent":"curl","upstream":"127.0.0.1:1","surface":"gateway","instance":"gw-1","#
            + #""flags":["http2","tls"],"weight":10}"# + "\n"
        #expect(text(line, upstream: "127.0.0.1:1") == expected)
    }

    @Test("members without a value are left out")
    func bare() {
        let line = TestLine.with {
            ($0.keyID, $0.address, $0.upstreamMicroseconds, $0.microseconds) = (nil, nil, nil, 0)
        }
        let text = text(line)
        for name in ["auth_key_id", "owner", "query", "code", "upstream_ms", "client_ip", "user_agent", "upstream\""] {
            #expect(!text.contains("\"" + name), "\(name) in \(text)")
        }
        #expect(text.contains(#""duration_ms":0,"#) && text.contains(#""flags":[],"#))
    }
}
