import Logging
import TestSupport
import Testing

@testable import AuthKeys
@testable import KeyAdministration

@Suite("Usage of keys")
struct UsageTests {
    private let noon = Timestamp(microseconds: 20_000 * 86_400_000_000 + 43_200_000_000)
    private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    @Test("every request is counted by secret, and counts are taken once")
    func counts() {
        var ledger = UsageLedger()
        var random = SeededRandom(state: 7)
        let secrets = (0..<3_000).map { _ in (digest: Token.generate().digest, id: KeyID.generate()) }
        var expected: [SecretDigest: Int64] = [:]
        for number in 0..<50_000 {
            let secret = secrets[Int(random.next() % UInt64(secrets.count))]
            expected[secret.digest, default: 0] += 1
            _ = ledger.count(secret.digest, of: secret.id, at: noon.advanced(by: .milliseconds(number)))
        }
        let counts = ledger.take()
        #expect(Dictionary(uniqueKeysWithValues: counts.map { ($0.digest, $0.requests) }) == expected)
        #expect(counts.allSatisfy { $0.day == 20_000 })
        #expect(ledger.isEmpty && ledger.take().isEmpty)
    }

    @Test("a key is sampled at once, and then once a second")
    func notes() {
        var ledger = UsageLedger()
        let (digest, id) = (Token.generate().digest, KeyID.generate())
        let wants = [0, 1, 999, 1_000, 1_001, 1_999, 2_000].map { milliseconds in
            ledger.count(digest, of: id, at: noon.advanced(by: .milliseconds(milliseconds)))
        }
        #expect(wants == [true, false, false, true, false, false, true])
        ledger.note(digest, address: IPAddress("192.0.2.1"), agent: "curl")
        let count = ledger.take().first
        #expect(count?.requests == 7 && count?.address == IPAddress("192.0.2.1") && count?.agent == "curl")
        #expect(count?.lastUsedAt == noon.advanced(by: .seconds(2)))
    }

    @Test("days are separated at midnight")
    func days() {
        var ledger = UsageLedger()
        let (digest, id) = (Token.generate().digest, KeyID.generate())
        for hours in [0, 11, 12, 13] {
            _ = ledger.count(digest, of: id, at: noon.advanced(by: .seconds(hours * 3_600)))
        }
        let counts = ledger.take()
        #expect(counts.map(\.day) == [20_000, 20_001] && counts.map(\.requests) == [2, 2])
    }

    @Test(
        "the agent name is read from the user agent",
        arguments: [
            ("curl/8.4.0", "curl"), ("python-requests/2.31", "python-requests"), ("OpenAI/Python 1.3", "OpenAI"),
            ("Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36", "Chrome"),
            ("Mozilla/5.0 (X11) AppleWebKit/537.36 Chrome/120.0 Safari/537.36 Edg/120.0", "Edge"),
            ("Mozilla/5.0 (X11; rv:120.0) Gecko/20100101 Firefox/120.0", "Firefox"), ("Mozilla/4.0", "Mozilla"),
            ("Mozilla/5.0 (compatible; Googlebot/2.1)", "bot"),
            (String(repeating: "a", count: 48), String(repeating: "a", count: 32)),
            // May be a key.
            (String(repeating: "a", count: 49), nil), ("", nil), ("/1", nil),
            ("\u{1B}[2J", nil),
        ] as [(String, String?)])
    func agents(_ value: String, _ name: String?) {
        #expect(Array(value.utf8).withUnsafeBytes { AgentName.read($0) } == name)
    }

    @Test("counts are merged and written in order, and kept if the write fails")
    func recorder() async throws {
        let store = InMemoryStore()
        var keys: [NewKey] = []
        for _ in 0..<2_500 {
            keys.append(StoreConformance.newKey())
            _ = try await store.create(keys[keys.count - 1], claim: nil)
        }
        let recorder = UsageRecorder(store: store, logger: quiet)
        func counts(_ requests: Int64) -> [UsageCount] {
            keys.shuffled().map {
                UsageCount(digest: $0.digest, keyID: $0.id, day: 20_000, requests: requests, lastUsedAt: noon)
            }
        }
        recorder.add(counts(1))
        store.isDown = true
        await recorder.flush()
        recorder.add(counts(2))
        await recorder.flush()
        store.isDown = false
        for key in keys { #expect(try await store.key(key.id)?.usage.requests == 0) }
        await recorder.flush()
        await recorder.flush()
        for key in keys { #expect(try await store.key(key.id)?.usage.requests == 3) }
        let order = UsageRecorder.byKey([counts(1)]).compactMap(\.first?.keyID)
        #expect(order == order.sorted() && order.count == keys.count)
    }

    @Test("the last use is known before, during and after its write, and asking writes nothing")
    func lastUse() async throws {
        let store = InMemoryStore()
        let key = StoreConformance.newKey()
        _ = try await store.create(key, claim: nil)
        let recorder = UsageRecorder(store: store, logger: quiet)
        #expect(await recorder.lastUse(of: key.id) == nil)
        recorder.add([UsageCount(digest: key.digest, keyID: key.id, day: 1, requests: 4, lastUsedAt: noon)])
        recorder.count(key.digest, of: .generate(), at: noon, address: nil, agent: nil)
        #expect(await recorder.lastUse(of: key.id) == noon)
        #expect(try await store.key(key.id)?.usage.requests == 0)
        store.isDown = true
        await recorder.flush()
        #expect(await recorder.lastUse(of: key.id) == noon, "the write failed")
        store.isDown = false
        await recorder.flush()
        #expect(try await store.key(key.id)?.usage.requests == 4)
        #expect(await recorder.lastUse(of: key.id) == nil)
    }

    @Test("counters hand over at the interval, and their counts are written")
    func interval() async throws {
        let clock = ManualClock()
        let store = InMemoryStore(time: clock.source)
        let key = StoreConformance.newKey()
        _ = try await store.create(key, claim: nil)
        let recorder = UsageRecorder(store: store, interval: .seconds(30), time: clock.source, logger: quiet)
        let running = Task { await recorder.run() }
        let count = UsageCount(digest: key.digest, keyID: key.id, day: 1, requests: 4, lastUsedAt: noon)
        let counter = recorder.addCounter { recorder.add([count]) }
        #expect(await eventually { clock.sleepers == 1 })
        #expect(try await store.key(key.id)?.usage.requests == 0)
        clock.advance(by: .seconds(31))
        let isWritten = try await eventually { try await store.key(key.id)?.usage.requests == 4 }
        #expect(isWritten)
        recorder.removeCounter(counter)
        await recorder.collect()
        #expect(try await store.key(key.id)?.usage.requests == 4, "a removed counter is not called")
        running.cancel()
        await running.value
    }
}
