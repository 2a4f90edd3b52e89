import Foundation
import Testing

@testable import AuthKeys

@Suite("Limits as JSON")
struct LimitJSONTests {
    private func json(_ text: String) throws -> JSONValue {
        try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
    }

    private func fault(_ text: String) throws -> LimitFault? {
        let json = try json(text)
        do throws(LimitFault) {
            _ = try LimitRule.list(json)
            return nil
        } catch {
            return error
        }
    }

    @Test("limits of each kind are written as they are read")
    func roundTrip() throws {
        let text = #"""
            [{"name":"minute","limit":600,"per":"1m","burst":100},{"name":"day","limit":50000,"per":"day"},
            {"name":"images","limit":10,"per":"1s","match":["POST /v1/images/**"]},{"name":"at-a-time","concurrent":20},
            {"name":"export","limit":5,"per":"1h","asked":true},{"name":"odd","limit":5,"per":"1500ms"}]
            """#
        let limits = try LimitRule.list(try json(text))
        #expect(LimitRule.json(limits) == (try json(text)))
        #expect(
            limits.map(\.kind) == [
                .rate(period: .seconds(60), burst: 100), .quota(.day), .rate(period: .seconds(1), burst: 10),
                .concurrent,
                .rate(period: .seconds(3_600), burst: 5), .rate(period: .milliseconds(1_500), burst: 5),
            ])
        #expect(limits.map(\.limit) == [600, 50_000, 10, 20, 5, 5] && limits[4].isAsked && limits[2].match.count == 1)
    }

    @Test("equivalent definitions are written in one form")
    func normalForm() throws {
        let text = #"[{"name":"a","limit":5,"per":"60s","burst":5,"asked":false,"match":["post /a/","POST /a"]}]"#
        let written = LimitRule.json(try LimitRule.list(try json(text))).text
        #expect(written == #"[{"limit":5,"match":["POST /a"],"name":"a","per":"1m"}]"#)
    }

    @Test(
        "an invalid definition is refused by the name of its member",
        arguments: [
            ("{}", "limits"), ("[1]", "limits[0]"), ("[{}]", "limits[0].name"),
            (#"[{"name":"A","limit":1,"per":"1m"}]"#, "limits[0].name"),
            (#"[{"name":"a","per":"1m"}]"#, "limits[0].limit"),
            (#"[{"name":"a","limit":0,"per":"1m"}]"#, "limits[0].limit"),
            (#"[{"name":"a","limit":1.5,"per":"1m"}]"#, "limits[0].limit"),
            (#"[{"name":"a","limit":1000000000001,"per":"1m"}]"#, "limits[0].limit"),
            (#"[{"name":"a","limit":1}]"#, "limits[0].per"), (#"[{"name":"a","limit":1,"per":"2h"}]"#, "limits[0].per"),
            (#"[{"name":"a","limit":1,"per":"999ms"}]"#, "limits[0].per"),
            (#"[{"name":"a","limit":1,"per":"1d"}]"#, "limits[0].per"),
            (#"[{"name":"a","limit":1,"per":"99999999999999999999s"}]"#, "limits[0].per"),
            (#"[{"name":"a","limit":1,"per":"1m","burst":0}]"#, "limits[0].burst"),
            (#"[{"name":"a","limit":1,"per":"day","burst":1}]"#, "limits[0].burst"),
            (#"[{"name":"a","concurrent":1,"per":"1m"}]"#, "limits[0].per"),
            (#"[{"name":"a","limit":1,"per":"1m","match":"GET /"}]"#, "limits[0].match"),
            (#"[{"name":"a","limit":1,"per":"1m","match":["/a"]}]"#, "limits[0].match"),
            (#"[{"name":"a","limit":1,"per":"1m","asked":1}]"#, "limits[0].asked"),
            (#"[{"name":"b","concurrent":1},{"name":"a","limit":1,"per":"1m","bursts":1}]"#, "limits[1].bursts"),
            (#"[{"name":"a","concurrent":1},{"name":"a","limit":1,"per":"1m"}]"#, "limits[1].name"),
        ])
    func refused(_ text: String, _ param: String) throws {
        let fault = try fault(text)
        #expect(fault?.param == param && fault?.message.contains(param) == true, "\(String(describing: fault))")
    }

    @Test("a list has a maximum number of limits")
    func count() throws {
        func list(_ count: Int) -> String {
            "[" + (0..<count).map { "{\"name\":\"n\($0)\",\"concurrent\":1}" }.joined(separator: ",") + "]"
        }
        #expect(try fault(list(8)) == nil)
        #expect(try fault(list(9))?.param == "limits")
    }

    @Test("credits are written as they are read, and a patch keeps what it does not name")
    func credits() throws {
        let text = #"{"remaining":5,"refill":{"amount":9,"every":"month","day":31,"mode":"add","maximum":90}}"#
        let credits = try CreditsPatch(json: try json(text)).applied(to: nil)
        #expect(credits.json == (try json(text)))
        let more = try CreditsPatch(json: try json(#"{"remaining":7}"#)).applied(to: credits)
        #expect(more == KeyCredits(remaining: 7, refill: credits.refill))
        let bare = try CreditsPatch(json: try json(#"{"refill":null}"#)).applied(to: more)
        #expect(bare == KeyCredits(remaining: 7))
        let first = try CreditsPatch(json: try json(#"{"refill":{"amount":9,"every":"day"}}"#)).applied(to: nil)
        #expect(first.remaining == 9)
    }

    @Test(
        "invalid credits are refused by the name of their member",
        arguments: [
            ("1", "credits"), ("{}", "credits"), (#"{"remaining":-1}"#, "credits.remaining"),
            (#"{"left":1}"#, "credits.left"),
            (#"{"refill":{"every":"day"}}"#, "credits.refill.amount"),
            (#"{"refill":{"amount":1,"every":"hour"}}"#, "credits.refill.every"),
            (#"{"refill":{"amount":1,"every":"day","day":1}}"#, "credits.refill.day"),
            (#"{"refill":{"amount":1,"every":"month","day":32}}"#, "credits.refill.day"),
            (#"{"refill":{"amount":1,"every":"day","mode":"sub"}}"#, "credits.refill.mode"),
            (#"{"refill":{"amount":1,"every":"day","maximum":2}}"#, "credits.refill.maximum"),
        ])
    func refusedCredits(_ text: String, _ param: String) throws {
        let json = try json(text)
        let fault = #expect(throws: LimitFault.self) { try CreditsPatch(json: json) }
        #expect(fault?.param == param, "\(String(describing: fault))")
    }
}
