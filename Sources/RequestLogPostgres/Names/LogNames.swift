import LibPQ
import RequestLog

/// The numbers that lines and roll-ups have in place of names: rows of `request_log_names`.
struct LogNames: Sendable {
    private static let lengthLimit = 512

    /// The number of this instance.
    let instance: Int32
    /// The numbers of the upstreams, in the order of `UpstreamNames`.
    private var upstreams: [Int32] = []

    /// Reads or adds the name of this instance.
    init(instance name: String, on pool: PostgresPool) async throws {
        instance = try await Self.number(of: name, kind: "instance", on: pool)
    }

    /// Reads or adds the names of the upstreams that were chosen for the first time.
    mutating func add(_ names: UpstreamNames, on pool: PostgresPool) async throws {
        while upstreams.count < Int(UInt16.max), let name = names.name(UInt16(upstreams.count + 1)) {
            upstreams.append(try await Self.number(of: name, kind: "upstream", on: pool))
        }
    }

    /// Returns the stored number of an upstream; nil for 0.
    func upstream(_ number: UInt16) -> Int32? {
        number == 0 || Int(number) > upstreams.count ? nil : upstreams[Int(number) - 1]
    }

    private static func number(of name: String, kind: String, on pool: PostgresPool) async throws -> Int32 {
        let parameters: [PostgresParameter] = [.text(kind), .text(clean(name))]
        let select = "SELECT id FROM request_log_names WHERE kind = $1 AND name = $2"
        // A conflicting insertion would use up a number, so the name is searched first.
        if let row = try await pool.query(select, parameters).rows.first { return try row.int32(0) }
        _ = try await pool.query(
            "INSERT INTO request_log_names (kind, name) VALUES ($1, $2) ON CONFLICT (kind, name) DO NOTHING",
            parameters)
        guard let row = try await pool.query(select, parameters).rows.first else { throw MissingName() }
        return try row.int32(0)
    }

    /// Returns the name as the table accepts it.
    private static func clean(_ name: String) -> String {
        var text = ""
        for character in name where !character.unicodeScalars.contains("\0") {
            guard text.utf8.count + String(character).utf8.count <= lengthLimit else { break }
            text.append(character)
        }
        return text.isEmpty ? "-" : text
    }
}

/// A name was deleted right after its insertion.
private struct MissingName: Error, CustomStringConvertible {
    let description = "request_log_names does not keep the names of this instance"
}
