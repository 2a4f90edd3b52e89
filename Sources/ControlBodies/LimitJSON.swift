package import AuthKeys

/// The limits of a plan or of an owner. Empty members are omitted; an owner without limits has neither times nor a
/// version.
package struct SharedLimitsJSON: Codable, Sendable {
    /// The name of the plan.
    package var name: String?
    package var owner: String?
    package var description: String?
    /// Each an object as in a request.
    package var limits: [JSONValue] = []
    package var createdAt: String?
    package var updatedAt: String?
    package var version: Int64?

    package enum CodingKeys: String, CodingKey, CaseIterable {
        case name, owner, description, limits, version
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }

    package init() {}
}

/// The levels of the limits that apply to a key, as instances reported them.
package struct KeyLimitsJSON: Codable, Sendable {
    package let limits: [Level]
    /// As in the key.
    package let credits: JSONValue?

    package init(limits: [Level], credits: JSONValue?) {
        self.limits = limits
        self.credits = credits
    }

    package struct Level: Codable, Sendable {
        package let name: String
        /// The definition, an object as in a request.
        package let limit: JSONValue
        /// The plan that has the limit.
        package let plan: String?
        /// The owner that has the limit, whose keys share the level.
        package let owner: String?
        package let used: Double
        package let remaining: Double
        package let resetSeconds: Double?

        package enum CodingKeys: String, CodingKey, CaseIterable {
            case name, limit, plan, owner, used, remaining
            case resetSeconds = "reset_seconds"
        }

        package init(
            name: String, limit: JSONValue, plan: String?, owner: String?, used: Double, remaining: Double,
            resetSeconds: Double?
        ) {
            self.name = name
            self.limit = limit
            self.plan = plan
            self.owner = owner
            self.used = used
            self.remaining = remaining
            self.resetSeconds = resetSeconds
        }
    }
}
