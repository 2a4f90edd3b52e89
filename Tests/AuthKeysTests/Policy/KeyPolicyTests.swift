import Logging
import TestSupport
import Testing

@testable import AuthKeys

@Suite("Key policies")
struct KeyPolicyTests {
    private let now = Timestamp(microseconds: 1_800_000_000_000_000)

    private func later(_ seconds: Int) -> Timestamp { now.advanced(by: .seconds(seconds)) }

    /// The evaluation of a key for a request.
    private func evaluate(
        _ attributes: KeyAttributes, method: String = "GET", path: String = "/a", address: String? = "10.1.2.3",
        needs: [String] = []
    ) throws -> (refusal: Refusal?, reported: PolicyRules) {
        let index = KeyIndex()
        let digest = Token.generate().digest
        index.apply(attributes.entry(of: digest, id: .generate(), version: 1))
        let scopes = try #require(ScopeRequirement(needs))
        return try #require(
            index.withKey(for: digest) { key in
                Array(method.utf8).withUnsafeBytes { method in
                    Array(path.utf8).withUnsafeBytes { path in
                        let request = AccessRequest(
                            method: method, path: path, address: address.flatMap { IPAddress($0) }, scopes: scopes)
                        return key.evaluate(request, at: now)
                    }
                }
            })
    }

    private func refusal(
        _ attributes: KeyAttributes, method: String = "GET", path: String = "/a", address: String? = "10.1.2.3",
        needs: [String] = []
    ) throws -> Refusal? {
        try evaluate(attributes, method: method, path: path, address: address, needs: needs).refusal
    }

    @Test("each rule refuses exactly the requests that it restricts")
    func rules() throws {
        #expect(try refusal(KeyAttributes(name: "n", notBefore: later(1))) == .notYetValid)
        #expect(try refusal(KeyAttributes(name: "n", notBefore: now)) == nil)
        let local = KeyAttributes(name: "n", allowedCIDRs: ["10.0.0.0/8", "2001:db8::/32"])
        #expect(try refusal(local) == nil)
        #expect(try refusal(local, address: "::ffff:10.9.9.9") == nil)
        #expect(try refusal(local, address: "2001:db8:1::1") == nil)
        #expect(try refusal(local, address: "11.0.0.1") == .ipNotAllowed)
        #expect(try refusal(local, address: "2001:db9::1") == .ipNotAllowed)
        #expect(try refusal(local, address: nil) == .ipNotAllowed)
        let reading = KeyAttributes(name: "n", allowedMethods: ["GET", "OPTIONS"])
        #expect(try refusal(reading) == nil)
        #expect(try refusal(reading, method: "HEAD") == nil)
        #expect(try refusal(reading, method: "POST") == .methodNotAllowed)
        #expect(try refusal(reading, method: "") == .methodNotAllowed)
        let documents = KeyAttributes(name: "n", allowedPaths: ["/documents/*", "/health"])
        #expect(try refusal(documents, path: "/documents/1?x=..") == nil)
        #expect(try refusal(documents, path: "/health") == nil)
        #expect(try refusal(documents, path: "/documents") == .pathNotAllowed)
        #expect(try refusal(documents, path: "") == .pathNotAllowed)
        #expect(try refusal(documents, path: "/documents/../admin") == .pathAmbiguous)
        #expect(try refusal(KeyAttributes(name: "n"), path: "/documents/../admin") == nil)
        let scoped = KeyAttributes(name: "n", scopes: ["a:read", "b:*"])
        #expect(try refusal(scoped, needs: ["a:read", "b:write"]) == nil)
        #expect(try refusal(scoped, needs: ["a:read", "c"]) == .scopeMissing)
        #expect(try refusal(KeyAttributes(name: "n"), needs: ["a"]) == .scopeMissing)
    }

    @Test("all rules of a policy are evaluated in order")
    func order() throws {
        var key = KeyAttributes(
            name: "n", scopes: ["a"], notBefore: later(1), allowedMethods: ["POST"], allowedPaths: ["/b"],
            allowedCIDRs: ["192.0.2.0/24"])
        for expected in [Refusal.notYetValid, .ipNotAllowed, .methodNotAllowed, .pathNotAllowed, .scopeMissing] {
            #expect(try refusal(key, needs: ["z"]) == expected)
            switch expected {
            case .notYetValid: key.notBefore = nil
            case .ipNotAllowed: key.allowedCIDRs = ["10.1.2.3/32"]
            case .methodNotAllowed: key.allowedMethods.append("GET")
            case .pathNotAllowed: key.allowedPaths.append("/a")
            default: break
            }
        }
        #expect(try refusal(key, needs: ["a"]) == nil)
        key.enabled = false
        #expect(try refusal(key, needs: ["a"]) == .inactive)
    }

    @Test("a report-only rule admits and reports, other rules still refuse", arguments: PolicyRule.ofPolicies)
    func reports(_ rule: PolicyRule) throws {
        var key = KeyAttributes(
            name: "n", expiresAt: later(-1), notBefore: later(1), allowedMethods: ["POST"], allowedPaths: ["/b"],
            allowedCIDRs: ["192.0.2.0/24"], reportOnly: PolicyRule.ofPolicies.map(\.rawValue))
        let all = try evaluate(key, needs: ["z"])
        #expect(all.refusal == nil && all.reported == PolicyRules(PolicyRule.ofPolicies))
        key.reportOnly.removeAll { $0 == rule.rawValue }
        let refused = try evaluate(key, needs: ["z"])
        #expect(refused.refusal != nil && refused.reported == [])
    }

    @Test("a report-only rule that passes reports nothing")
    func passing() throws {
        let key = KeyAttributes(name: "n", allowedMethods: ["GET"], reportOnly: ["allowed_methods", "scopes"])
        let evaluated = try evaluate(key)
        #expect(evaluated.refusal == nil && evaluated.reported == [])
    }

    @Test("the expiry of a secret is enforced even if that of the key is report-only")
    func secretEnd() {
        let key = KeyAttributes(name: "n", expiresAt: later(100), reportOnly: ["expires_at"])
        let entry = key.entry(of: Token.generate().digest, id: .generate(), version: 1, secretExpiresAt: later(5))
        #expect(entry.expiresAt == later(5))
    }

    @Test("an invalid policy disables its key")
    func invalid() {
        for key in [
            KeyAttributes(name: "n", allowedCIDRs: ["10.0.0.1/8"]), KeyAttributes(name: "n", allowedPaths: ["a"]),
            KeyAttributes(name: "n", allowedMethods: [""]), KeyAttributes(name: "n", reportOnly: ["everything"]),
            KeyAttributes(name: "n", allowedPaths: Array(repeating: "/a", count: 256)),
        ] {
            #expect(key.entry(of: Token.generate().digest, id: .generate(), version: 1).state == .disabled)
        }
    }

    @Test("a key keeps its policy while the table changes")
    func kept() throws {
        let index = KeyIndex()
        let limited = KeyAttributes(
            name: "limited", allowedMethods: ["POST"], allowedPaths: ["/" + String(repeating: "p", count: 300)])
        let keys = (0..<4_000).map { number in
            (digest: Token.generate().digest, attributes: number % 3 == 0 ? limited : KeyAttributes(name: "free"))
        }
        for version in UInt32(1)...3 {
            for key in keys {
                index.apply(key.attributes.entry(of: key.digest, id: .generate(), version: version))
            }
        }
        for key in keys {
            let refusal = index.withKey(for: key.digest) { $0.evaluate(.unknown, at: now).refusal.map { [$0] } ?? [] }
            #expect(refusal == (key.attributes.allowedMethods.isEmpty ? [] : [.methodNotAllowed]))
        }
    }

    @Test("an explanation lists every step and has the decision of the verification")
    func explanation() throws {
        let key = AuthKey(
            id: .generate(),
            attributes: KeyAttributes(
                name: "n", scopes: ["a"], expiresAt: later(1), allowedMethods: ["POST"], allowedPaths: ["/b"],
                reportOnly: ["allowed_methods"]),
            prefix: "kw", lastFour: "0000", deactivatedAt: nil, createdAt: now, updatedAt: now, version: 1)
        let scopes = try #require(ScopeRequirement(["a"]))
        let refused = Explanation(key, method: "GET", path: "/a", address: nil, scopes: scopes, at: now)
        #expect(refused.steps.map(\.rule) == ["state", "expires_at", "allowed_methods", "allowed_paths", "scopes"])
        #expect(refused.steps.map(\.refusal) == [nil, nil, .methodNotAllowed, .pathNotAllowed, nil])
        #expect(refused.steps.map(\.reportsOnly) == [false, false, true, false, false])
        #expect(refused.refusal == .pathNotAllowed)
        #expect(Explanation(key, method: "GET", path: "/b", address: nil, scopes: scopes, at: now).refusal == nil)
        #expect(
            Explanation(key, method: "GET", path: "/b", address: nil, scopes: scopes, at: later(1)).refusal == .expired)
    }
}

extension PolicyRule {
    /// The rules that a policy alone decides. The limiter decides about limits and credits.
    fileprivate static let ofPolicies = allCases.filter { $0 != .limits && $0 != .credits }
}
