/// Requests by outcome, with their sizes and durations.
package struct TrafficJSON: Codable, Sendable, Equatable {
    package var requests: Int64 = 0
    package var allowed: Int64 = 0
    package var denied: Int64 = 0
    package var limited: Int64 = 0
    package var failed: Int64 = 0
    package var terminated: Int64 = 0
    package var bytesIn: Int64 = 0
    package var bytesOut: Int64 = 0
    package var durations = Durations()

    /// Durations in milliseconds; nil without requests.
    package struct Durations: Codable, Sendable, Equatable {
        package var mean: Double?
        package var p50: Double?
        package var p95: Double?
        package var p99: Double?

        package enum CodingKeys: String, CodingKey, CaseIterable {
            case mean = "mean_ms"
            case p50 = "p50_ms"
            case p95 = "p95_ms"
            case p99 = "p99_ms"
        }

        package init() {}
    }

    package enum CodingKeys: String, CodingKey, CaseIterable {
        case requests, allowed, denied, limited, failed, terminated
        case bytesIn = "bytes_in"
        case bytesOut = "bytes_out"
    }

    package init() {}

    package init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        requests = try members.decode(Int64.self, forKey: .requests)
        allowed = try members.decode(Int64.self, forKey: .allowed)
        denied = try members.decode(Int64.self, forKey: .denied)
        limited = try members.decode(Int64.self, forKey: .limited)
        failed = try members.decode(Int64.self, forKey: .failed)
        terminated = try members.decode(Int64.self, forKey: .terminated)
        bytesIn = try members.decode(Int64.self, forKey: .bytesIn)
        bytesOut = try members.decode(Int64.self, forKey: .bytesOut)
        durations = try Durations(from: decoder)
    }

    package func encode(to encoder: any Encoder) throws {
        var members = encoder.container(keyedBy: CodingKeys.self)
        try members.encode(requests, forKey: .requests)
        try members.encode(allowed, forKey: .allowed)
        try members.encode(denied, forKey: .denied)
        try members.encode(limited, forKey: .limited)
        try members.encode(failed, forKey: .failed)
        try members.encode(terminated, forKey: .terminated)
        try members.encode(bytesIn, forKey: .bytesIn)
        try members.encode(bytesOut, forKey: .bytesOut)
        try durations.encode(to: encoder)
    }

    /// Requests of a point in time.
    package struct Point: Codable, Sendable, Equatable {
        /// The beginning of the point.
        package let at: String
        package let traffic: TrafficJSON

        enum CodingKeys: String, CodingKey {
            case at
        }

        package init(at: String, traffic: TrafficJSON) {
            self.at = at
            self.traffic = traffic
        }

        package init(from decoder: any Decoder) throws {
            at = try decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .at)
            traffic = try TrafficJSON(from: decoder)
        }

        package func encode(to encoder: any Encoder) throws {
            var members = encoder.container(keyedBy: CodingKeys.self)
            try members.encode(at, forKey: .at)
            try traffic.encode(to: encoder)
        }
    }
}

/// Statistics about requests.
package struct StatisticsJSON: Codable, Sendable {
    /// The requests with the same entry point, outcome and code.
    package struct Part: Codable, Sendable, Equatable {
        package let surface: String
        package let outcome: String
        package let code: String?
        package let requests: Int64
        package let bytesIn: Int64
        package let bytesOut: Int64
        package let durations: TrafficJSON.Durations

        enum CodingKeys: String, CodingKey {
            case surface, outcome, code, requests
            case bytesIn = "bytes_in"
            case bytesOut = "bytes_out"
        }

        package init(
            surface: String, outcome: String, code: String?, requests: Int64, bytesIn: Int64, bytesOut: Int64,
            durations: TrafficJSON.Durations
        ) {
            self.surface = surface
            self.outcome = outcome
            self.code = code
            self.requests = requests
            self.bytesIn = bytesIn
            self.bytesOut = bytesOut
            self.durations = durations
        }

        package init(from decoder: any Decoder) throws {
            let members = try decoder.container(keyedBy: CodingKeys.self)
            surface = try members.decode(String.self, forKey: .surface)
            outcome = try members.decode(String.self, forKey: .outcome)
            code = try members.decodeIfPresent(String.self, forKey: .code)
            requests = try members.decode(Int64.self, forKey: .requests)
            bytesIn = try members.decode(Int64.self, forKey: .bytesIn)
            bytesOut = try members.decode(Int64.self, forKey: .bytesOut)
            durations = try TrafficJSON.Durations(from: decoder)
        }

        package func encode(to encoder: any Encoder) throws {
            var members = encoder.container(keyedBy: CodingKeys.self)
            try members.encode(surface, forKey: .surface)
            try members.encode(outcome, forKey: .outcome)
            try members.encodeIfPresent(code, forKey: .code)
            try members.encode(requests, forKey: .requests)
            try members.encode(bytesIn, forKey: .bytesIn)
            try members.encode(bytesOut, forKey: .bytesOut)
            try durations.encode(to: encoder)
        }
    }

    package let step: String
    package let since: String
    package let until: String
    package let total: TrafficJSON
    /// All points of the period, oldest first.
    package let series: [TrafficJSON.Point]
    package let breakdown: [Part]?

    package init(
        step: String, since: String, until: String, total: TrafficJSON, series: [TrafficJSON.Point], breakdown: [Part]?
    ) {
        self.step = step
        self.since = since
        self.until = until
        self.total = total
        self.series = series
        self.breakdown = breakdown
    }
}
