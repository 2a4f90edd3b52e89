import AuthKeys

/// The time of a log line, in RFC 3339 and UTC. It always has milliseconds, so that its text sorts by time.
enum LogTime {
    static var now: String { text(.now) }

    static func text(_ moment: Timestamp) -> String {
        let second = Timestamp(microseconds: moment.seconds * 1_000_000).description.dropLast()
        let fraction = String(1_000 + moment.milliseconds - moment.seconds * 1_000).dropFirst()
        return "\(second).\(fraction)Z"
    }
}
