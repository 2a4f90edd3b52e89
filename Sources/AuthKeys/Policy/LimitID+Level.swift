extension LimitID {
    /// The identifier of the level of a key's limit, or of a plan's limit for that key.
    package static func level(of limit: LimitRule, for key: KeyID) -> LimitID {
        LimitID(key) ^ LimitID(of: limit.kind, named: limit.name)
    }

    /// The identifier of the level of a limit that all keys of an owner share.
    package static func level(of limit: LimitRule, forOwner owner: String) -> LimitID {
        LimitID(owner: owner.utf8) ^ LimitID(of: limit.kind, named: limit.name)
    }
}
