/// Expressions of calendar periods: UTC, and weeks that begin on Monday.
package enum CalendarSQL {
    /// The beginning of the period that contains a time.
    /// - Parameters:
    ///   - every: an expression of the name of a period.
    ///   - day: an expression of the day on which a month begins; the last day of a shorter month.
    package static func start(_ every: String, day: String = "1", at time: String) -> String {
        let start = "date_trunc(\(every), \(time) AT TIME ZONE 'UTC')"
        return """
            (CASE WHEN \(every) = 'month' AND \(monthly(start, day)) > \(time) AT TIME ZONE 'UTC'
                THEN \(monthly("(\(start) - interval '1 month')", day))
                ELSE \(monthly(start, "CASE WHEN \(every) = 'month' THEN \(day) ELSE 1 END")) END AT TIME ZONE 'UTC')
            """
    }

    /// The end of the period that contains a time.
    package static func end(_ every: String, day: String = "1", at time: String) -> String {
        let start = "date_trunc(\(every), \(time) AT TIME ZONE 'UTC')"
        return """
            (CASE WHEN \(every) <> 'month' THEN \(start) + ('1 ' || \(every))::interval
                WHEN \(monthly(start, day)) > \(time) AT TIME ZONE 'UTC' THEN \(monthly(start, day))
                ELSE \(monthly("(\(start) + interval '1 month')", day)) END AT TIME ZONE 'UTC')
            """
    }

    /// The number of periods that began after one time, until another one.
    package static func count(_ every: String, day: String, from: String, to: String) -> String {
        let (first, last) = (start(every, day: day, at: from), start(every, day: day, at: to))
        let months = { (time: String) in
            "extract(year FROM \(time) AT TIME ZONE 'UTC') * 12 + extract(month FROM \(time) AT TIME ZONE 'UTC')"
        }
        return """
            (CASE WHEN \(to) <= \(from) THEN 0
                WHEN \(every) = 'month' THEN (\(months(last))) - (\(months(first)))
                ELSE extract(epoch FROM \(last) - \(first)) / CASE WHEN \(every) = 'week' THEN 604800 ELSE 86400 END
                END)::int8
            """
    }

    /// The day of a month, given by its beginning.
    private static func monthly(_ start: String, _ day: String) -> String {
        """
        (\(start) + make_interval(days => least(\(day), extract(day FROM \(start) + interval '1 month - 1 day'))::int - 1))
        """
    }
}
