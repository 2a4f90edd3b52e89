import Testing

@testable import AuthKeys

@Suite("Watermark continuity")
struct WatermarkTests {
    private func watermark(
        history: String = "one", position: UInt64 = 100, checkpoint: String = "a", durable: UInt64 = 50,
        session: String = "s", log: UInt64 = 10, start: String = "t"
    ) -> Watermark {
        Watermark(
            history: history, position: position,
            checkpoint: Watermark.Checkpoint(name: checkpoint, nextTransaction: durable), durableLog: log,
            serverStart: start, session: session,
            epoch: FeedEpoch(number: 1, name: "e"))
    }

    private func reading(
        _ watermark: Watermark, next: UInt64 = 1_000, knows: Bool = true
    ) -> FeedReading {
        FeedReading(watermark: watermark, nextTransaction: next, knowsEarlierEpoch: knows)
    }

    @Test("a read in the same session continues, even across a checkpoint")
    func session() {
        let later = watermark(position: 200, checkpoint: "b", durable: 150)
        #expect(watermark().continuity(to: reading(later)) == .continues)
    }

    @Test("a read in another session continues without a new checkpoint, since recoveries end with one")
    func sameCheckpoint() {
        #expect(watermark().continuity(to: reading(watermark(position: 100, session: "t"))) == .continues)
    }

    @Test("another session after a checkpoint rereads from the durable position, whatever ids were used")
    func rereads() {
        for position in [60, 100, 5_000] as [UInt64] {
            let later = watermark(position: position, checkpoint: "b", durable: 55, session: "t")
            #expect(watermark().continuity(to: reading(later, next: 6_000)) == .rereads(from: 50))
        }
        let ahead = watermark(position: 100, durable: 120)
        let later = watermark(position: 200, checkpoint: "b", durable: 190, session: "t")
        #expect(ahead.continuity(to: reading(later)) == .rereads(from: 100), "never from after the watermark")
        #expect(watermark().rewound(to: 50).position == 50 && watermark().rewound(to: 500).position == 100)
    }

    @Test("a session without a name, as behind a pooler, proves nothing")
    func noSession() {
        let (before, after) = (watermark(session: ""), watermark(position: 200, checkpoint: "b", session: ""))
        #expect(before.continuity(to: reading(after)) == .rereads(from: 50))
    }

    @Test("a replaced database, ids below a durable one and a lost epoch break the feed")
    func breaks() {
        #expect(watermark().continuity(to: reading(watermark(history: "two"))) == .broken(.replaced))
        #expect(watermark().continuity(to: reading(watermark(), next: 49)) == .broken(.wentBack))
        #expect(watermark().continuity(to: reading(watermark(position: 99))) == .broken(.wentBack))
        #expect(watermark().continuity(to: reading(watermark(log: 9))) == .broken(.wentBack))
        #expect(
            watermark().continuity(to: reading(watermark(position: 900, session: "t", start: "u")))
                == .broken(.wentBack),
            "an old copy of the files was started and used ids")
        #expect(watermark().continuity(to: reading(watermark(), knows: false)) == .broken(.epochGone))
    }
}

@Suite("Digest ranges")
struct DigestRangeTests {
    @Test("ranges of equal size cover all digests without overlap")
    func cover() {
        for bits in [8, 11] {
            var next: [UInt8]? = Array(repeating: 0, count: 8)
            for number in 0..<(1 << bits) {
                let range = DigestRange(number: number, bits: bits)
                #expect(range.lowerBound == next)
                next = range.upperBound
            }
            #expect(next == nil)
        }
    }

    @Test("a range has about 1,000 keys and lies within one table of the index")
    func size() {
        #expect(DigestRange.bits(forKeys: 0) == 8)
        #expect(DigestRange.bits(forKeys: 256_000) == 8)
        #expect(DigestRange.bits(forKeys: 1_000_000) == 10)
        #expect(DigestRange.bits(forKeys: .max) == 32)
    }
}
