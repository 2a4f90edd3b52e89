import AuthKeys
import AuthKeysPostgres
import KeyAdministration
import LibPQ

/// A column of `auth_keys` with an attribute that admins set. One list is the source of all statements that read or
/// write the attributes, and of their parameters.
///
/// A batch has one array for each column. SQL has no arrays of lists of different lengths, so a list is one text with
/// an entry per line; no entry contains a line break.
struct AttributeColumn: Sendable {
    private enum Value: Sendable {
        case text(@Sendable (KeyAttributes) -> String?)
        case list(@Sendable (KeyAttributes) -> [String])
        case json(@Sendable (KeyAttributes) -> JSONValue)
        case flag(@Sendable (KeyAttributes) -> Bool)
        case moment(@Sendable (KeyAttributes) -> Timestamp?)
    }

    private let name: String
    private let value: Value

    private init(_ name: String, _ value: Value) {
        self.name = name
        self.value = value
    }

    /// The columns, in the order that `KeyAttributes.init(row:)` reads them.
    private static let all = [
        AttributeColumn("name", .text { $0.name }),
        AttributeColumn("description", .text { $0.description }),
        AttributeColumn("owner", .text { $0.owner }),
        AttributeColumn("scopes", .list { $0.scopes }),
        AttributeColumn("labels", .json { JSONValue($0.labels) }),
        AttributeColumn("metadata", .json { .object($0.metadata) }),
        AttributeColumn("enabled", .flag { $0.enabled }),
        AttributeColumn("expires_at", .moment { $0.expiresAt }),
        AttributeColumn("not_before", .moment { $0.notBefore }),
        AttributeColumn("allowed_methods", .list { $0.allowedMethods }),
        AttributeColumn("allowed_paths", .list { $0.allowedPaths }),
        AttributeColumn("allowed_cidrs", .list { $0.allowedCIDRs }),
        AttributeColumn("limits", .json { LimitRule.json($0.limits) }),
        AttributeColumn("plan", .text { $0.plan }),
        AttributeColumn("has_credits", .flag { $0.credits != nil }),
        AttributeColumn("report_only", .list { $0.reportOnly }),
        AttributeColumn("self_rotation", .flag { $0.selfRotation }),
    ]

    private static func joined(_ part: (AttributeColumn) -> String) -> String {
        all.map(part).joined(separator: ", ")
    }

    /// The SELECT list of a key `k`.
    static let ofKey = joined { "k.\($0.name)" }

    static let names = joined(\.name)

    /// The definition of a table for batches.
    static let batchTable = joined { "\($0.name) \($0.batchType)" }

    /// The expressions that turn a row of a batch into a row of `auth_keys`.
    static let batchValues = joined(\.batchValue)

    /// Returns the placeholders of `batchParameters`, the first of which has this number.
    static func batchArrays(from first: Int) -> String {
        all.enumerated().map { "$\(first + $0)::\($1.batchType)[]" }.joined(separator: ", ")
    }

    /// Returns the assignments of an UPDATE, whose `parameters` begin with this number.
    static func assignments(from first: Int) -> String {
        all.enumerated().map { "\($1.name) = $\(first + $0)" }.joined(separator: ", ")
    }

    static func parameters(_ attributes: KeyAttributes) -> [PostgresParameter] {
        all.map { $0.parameter(attributes) }
    }

    static func batchParameters(_ attributes: [KeyAttributes]) -> [PostgresParameter] {
        all.map { $0.batchParameter(attributes) }
    }

    private var batchType: String {
        if case .moment = value { "timestamptz" } else { "text" }
    }

    private var batchValue: String {
        switch value {
        case .text, .moment: name
        case .list: "string_to_array(\(name), E'\\n')"
        case .json: "\(name)::jsonb"
        case .flag: "\(name)::boolean"
        }
    }

    private func parameter(_ attributes: KeyAttributes) -> PostgresParameter {
        switch value {
        case .text(let read): .optional(read(attributes))
        case .list(let read): .textArray(read(attributes))
        case .json(let read): .jsonb(read(attributes).text)
        case .flag(let read): .bool(read(attributes))
        case .moment(let read): .optional(read(attributes))
        }
    }

    private func batchParameter(_ all: [KeyAttributes]) -> PostgresParameter {
        switch value {
        case .text(let read): .textArray(all.map(read))
        case .list(let read): .textArray(all.map { read($0).joined(separator: "\n") })
        case .json(let read): .textArray(all.map { read($0).text })
        case .flag(let read): .textArray(all.map { read($0) ? "true" : "false" })
        case .moment(let read): .timestampArray(all.map { read($0)?.microseconds })
        }
    }
}

extension KeyAttributes {
    /// Reads `AttributeColumn.ofKey`. The credits are in another table; they begin with nothing left.
    ///
    /// Limits that were corrupted by hand are an error: an update of the key would otherwise remove them.
    init(row: inout RowCursor) throws(PostgresError) {
        func limits(_ text: String) throws(PostgresError) -> [LimitRule] {
            guard let limits = LimitText.limits(text) else {
                throw PostgresError(decoding: "the limits of a key are corrupt")
            }
            return limits
        }
        self.init(
            name: try row.nextText(), description: try row.nextText(), owner: try row.nextOptionalText(),
            scopes: try row.nextTextArray(), labels: JSONText.decode([String: String].self, try row.nextJsonb()),
            metadata: JSONText.decode([String: JSONValue].self, try row.nextJsonb()), enabled: try row.nextBool(),
            expiresAt: try row.nextOptionalMoment(), notBefore: try row.nextOptionalMoment(),
            allowedMethods: try row.nextTextArray(), allowedPaths: try row.nextTextArray(),
            allowedCIDRs: try row.nextTextArray(), limits: try limits(try row.nextJsonb()),
            plan: try row.nextOptionalText(), credits: try row.nextBool() ? KeyCredits.empty : nil,
            reportOnly: try row.nextTextArray(), selfRotation: try row.nextBool())
    }
}
