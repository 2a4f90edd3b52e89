/// The state of an instance that all of its cells depend on.
struct LimitCircumstances: Sendable, Equatable {
    /// The number of live instances, at least 1. If it is wrong, only the first units of limits that an instance does
    /// not know, and its quiet use, change.
    var instances = 1.0
    /// The behavior while the database does not respond; nil while it responds.
    var away: LimitOptions.Away?
}
