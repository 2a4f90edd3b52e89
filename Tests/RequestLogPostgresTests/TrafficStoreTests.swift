import AuthKeys
import LibPQ
import RequestLog
import TestSupport
import Testing

@testable import RequestLogPostgres

@Suite("Roll-ups in PostgreSQL", .timeLimit(.minutes(10)))
struct TrafficStoreTests {
    @Test("counts are added to the stored ones, column by column")
    func columns() async throws {
        try await RollupFixture.with { fixture in
            try await fixture.withRecorder { recorder async throws in
                let durations: [Int64] = [100, 2_000, 20_000, 20_000, 60_000_000]
                for (outcome, microseconds) in zip(RequestOutcome.allCases, durations) {
                    recorder.add(
                        RollupFixture.counts(keys: 1..<4, outcome: outcome, code: "c", microseconds: microseconds))
                    #expect(await recorder.flush())
                }
                recorder.add(RollupFixture.counts(keys: 1..<2, outcome: .limited, code: "c", microseconds: 400))
                #expect(await recorder.flush())
            }
            let hour = try await fixture.integers(
                """
                SELECT allowed, denied, limited, failed, terminated, bytes_in, bytes_out, micros,
                    durations[1], durations[2], durations[4], durations[7], durations[16], cardinality(durations)::int8,
                    extract(epoch FROM hour)::int8
                FROM request_hours ORDER BY key_id LIMIT 1
                """)
            #expect(hour == [1, 1, 2, 1, 1, 60, 600, 60_042_500, 1, 1, 1, 2, 1, 16, 480_000 * 3_600])
            let minute = try await fixture.integers(
                """
                SELECT requests, bytes_in, bytes_out, micros, durations[2], durations[7], cardinality(durations)::int8,
                    extract(epoch FROM minute)::int8, surface::int8
                FROM request_minutes JOIN request_log_names n ON n.id = instance AND n.name = 'gw-1'
                WHERE outcome = 3 AND code = 'c'
                """)
            #expect(minute == [4, 40, 400, 60_400, 1, 3, 16, (480_000 * 60 + 7) * 60, 1])
            #expect(try await fixture.requests() == [16, 16])
        }
    }

    @Test(
        "a batch whose result was lost is counted once",
        arguments: [LossyProxy.Fault.disconnect, .silence, .cut], ["lost_code", RollupFixture.marker])
    func lostResult(_ fault: LossyProxy.Fault, _ marker: String) async throws {
        try await RollupFixture.with { fixture in
            let proxy = try await LossyProxy.start(to: fixture.connectionString)
            let settings = ConnectionSettings(queryTimeout: .seconds(2))
            try await fixture.withRecorder(at: proxy.connectionString, settings: settings) { recorder async throws in
                var requests: Int64 = 0
                for round in 0..<3 {
                    recorder.add(RollupFixture.counts(keys: 0..<700, code: "lost_code"))
                    requests += 700
                    proxy.set(fault, after: marker)
                    let isFaulty = await eventually {
                        await recorder.flush()
                        return proxy.faults > round
                    }
                    #expect(isFaulty && proxy.faults == round + 1)
                    proxy.set(nil)
                    // Later counts of the same rows wait for the batch.
                    recorder.add(RollupFixture.counts(keys: 500..<1_300, code: "lost_code"))
                    requests += 800
                    #expect(await eventually { await recorder.flush() }, "\(round)")
                    #expect(try await fixture.requests() == [requests, requests], "\(round)")
                }
            }
            await proxy.stop()
        }
    }

    @Test("a repeated batch waits for its first attempt, and the first attempt has no effect after the repetition")
    func overtaken() async throws {
        try await RollupFixture.with { fixture in
            let target = try PostgresTarget(fixture.connectionString)
            let pool = PostgresPool(target: target, logger: RollupFixture.logger)
            let running = Task { await pool.run() }
            let store = PostgresTrafficStore(pool: pool, instance: "gw-1")
            let batches = (1...3).map { number in
                TrafficBatch(number: Int64(number), .hours(RollupFixture.counts(keys: 0..<10).hours))
            }
            try await store.write(batches[0])
            // A late attempt of the first batch, after the second one.
            try await store.write(batches[1])
            try await store.write(batches[0])
            try await store.write(batches[1])
            #expect(try await fixture.requests()[1] == 20)
            // Two attempts at the same time.
            async let first: Void = store.write(batches[2])
            async let second: Void = store.write(batches[2])
            _ = try await (first, second)
            #expect(try await fixture.requests()[1] == 30)
            await pool.close()
            await running.value
        }
    }

    @Test("killed sessions and a stopped server lose no request")
    func outages() async throws {
        try await RollupFixture.alone { fixture, server in
            try await fixture.withRecorder { recorder async throws in
                let recording = Task {
                    // Every write races with the faults below.
                    while !Task.isCancelled {
                        await recorder.flush()
                        try? await Task.sleep(for: .milliseconds(1))
                    }
                }
                var requests: Int64 = 0
                for round in 0..<120 {
                    recorder.add(RollupFixture.counts(keys: 0..<600, hour: 480_000 + Int64(round % 3)))
                    requests += 600
                    switch round {
                    case 40: await server.stop()
                    case 60: try await server.start()
                    case 80: await server.crash()
                    case 90: try await server.start()
                    case 1..<40, 100...:
                        try await Psql.run(
                            """
                            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                            WHERE pid <> pg_backend_pid() AND query LIKE '%request_%'
                            """,
                            on: fixture.connectionString)
                    default: try await Task.sleep(for: .milliseconds(5))
                    }
                }
                recording.cancel()
                await recording.value
                #expect(await eventually { await recorder.flush() })
                #expect(try await fixture.requests() == [requests, requests])
            }
        }
    }

    @Test("instances that write the same rows at the same time do not deadlock")
    func concurrent() async throws {
        try await RollupFixture.with { fixture in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for instance in 1...3 {
                    group.addTask {
                        try await fixture.withRecorder(instance: "gw-\(instance)") { recorder async throws in
                            for round in 0..<5 {
                                for hour in 0..<2 {
                                    recorder.add(
                                        RollupFixture.counts(keys: 0..<2_000, hour: 480_000 + Int64(hour + round % 2)))
                                }
                                #expect(await recorder.flush())
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await fixture.requests() == [60_000, 60_000])
            #expect(
                try await fixture.integers(
                    "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == [0])
            #expect(try await fixture.integers("SELECT count(DISTINCT instance) FROM request_minutes") == [3])
        }
    }

    @Test("one write adds the hours of 10,000 keys")
    func manyKeys() async throws {
        try await RollupFixture.with { fixture in
            try await fixture.withRecorder { recorder async throws in
                for round in 1...2 {
                    recorder.add(RollupFixture.counts(keys: 0..<10_000))
                    #expect(await recorder.flush())
                    #expect(try await fixture.requests() == [Int64(round) * 10_000, Int64(round) * 10_000])
                }
                #expect(try await fixture.integers("SELECT count(*) FROM request_hours") == [10_000])
            }
            // 1 batch of minutes and 20 of hours a write.
            #expect(try await fixture.integers("SELECT batch FROM request_rollup_writers") == [42])
        }
    }
}
