/// Lines of the request log for tests of the whole program, written without Keyward.
public enum RequestLogRows {
    /// The statement that creates a partition of the current day, unless there is one.
    public static let partition = """
        DO $$ BEGIN
            EXECUTE format('CREATE TABLE request_log_of_a_test PARTITION OF request_log FOR VALUES FROM (%L) TO (%L)',
                date_trunc('day', now(), 'UTC'), date_trunc('day', now(), 'UTC') + interval '1 day');
        EXCEPTION WHEN invalid_object_definition OR duplicate_table THEN NULL;
        END $$
        """

    /// Returns the statement that inserts a line with this request id, from a moment ago.
    public static func insert(
        _ id: String, key: String? = nil, owner: String? = nil, path: String = "/v1/reports", status: Int = 200,
        outcome: Int = 1, code: String? = nil
    ) -> String {
        func text(_ value: String?) -> String { value.map { "'\($0)'" } ?? "NULL" }
        return """
            INSERT INTO request_log (at, bytes_in, bytes_out, micros, id, key_id, upstream_micros, instance, status, surface,
                outcome, flags, method, path, code, address, agent, owner)
            SELECT to_timestamp(('x' || left('\(id)', 12))::bit(48)::bigint / 1000.0), 1, 2, 345, '\(id)', \(text(key)), NULL, 0,
                \(status), 1, \(outcome), 1, 'GET', '\(path)', \(text(code)), '192.0.2.7', 'curl', \(text(owner))
            """
    }
}
