public import AuthKeys

extension AuthKeyService {
    /// The current time.
    public var now: Timestamp { time.now() }

    /// The longest period of the requests of a key by minute, with the incomplete minute at its end.
    private static var longestByMinute: Int64 {
        TrafficQuery.hoursByMinuteLimit * TrafficQuery.Step.hour.microseconds + TrafficQuery.Step.minute.microseconds
    }

    /// Returns statistics about the requests of the keys that an admin sees. For an admin who is not limited to an
    /// owner, a query without a filter is about all requests.
    public func traffic(_ query: TrafficQuery, for admin: Admin) async throws(AuthKeyError) -> TrafficReport {
        var query = query
        guard admin.owners.limit(&query.owner) else { return TrafficReport() }
        guard query.isAboutAllRequests || query.isAboutMinutesOfKey || query.step != .minute else {
            throw .invalid(
                param: "step",
                message: """
                    step must be hour or day: the requests of keys are counted by the hour, and by the minute only with \
                    key_id
                    """)
        }
        let length = query.until.microseconds - query.since.microseconds
        guard !query.isAboutMinutesOfKey || length <= Self.longestByMinute else {
            throw .invalid(
                param: "since",
                message: "the requests of a key by minute are those of at most \(TrafficQuery.hoursByMinuteLimit) hours"
            )
        }
        let report = try await ask(await store.traffic(query))
        guard let report else {
            throw .invalid(
                param: "since",
                message: """
                    the statistics take longer than \(TrafficQuery.timeout.components.seconds) seconds: choose a shorter \
                    period, or a filter for fewer keys
                    """)
        }
        return report
    }

    /// Returns the requests of a key by day and by hour, for the last `days` days and `hours` hours, including the
    /// current ones.
    public func traffic(
        of id: String, days: Int, hours: Int, for admin: Admin
    ) async throws(AuthKeyError) -> (days: TrafficReport, hours: TrafficReport) {
        let keyID = try await key(id, for: admin).id
        func report(_ step: TrafficQuery.Step, last count: Int) async throws(AuthKeyError) -> TrafficReport {
            guard count > 0 else { return TrafficReport() }
            let now = time.now()
            let since = Timestamp(microseconds: now.microseconds - Int64(count - 1) * step.microseconds)
            var query = try TrafficQuery(
                step: step, since: since, until: Timestamp(microseconds: now.microseconds + 1))
            query.keyID = keyID
            return try await traffic(query, for: admin)
        }
        return (try await report(.day, last: days), try await report(.hour, last: hours))
    }
}
