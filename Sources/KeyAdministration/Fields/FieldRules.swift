package import AuthKeys

/// The validation of fields that admins set. Lengths count Unicode scalars, as PostgreSQL's `char_length` does.
public enum FieldRules {
    public static let nameLimit = 200
    public static let descriptionLimit = 2_000
    public static let scopesLimit = 100
    /// The maximum number of entries in each list of a policy.
    public static let ruleLimit = 100
    public static let idempotencyKeyLimit = 255
    public static let labelLimit = 63
    public static let labelsLimit = 64
    /// The maximum size of the metadata, in bytes as JSON without white space.
    public static let metadataLimit = 4_096
    /// The maximum nesting of the metadata, which is one level deeper in the body of a request.
    public static let metadataDepthLimit = JSONRules.depthLimit - 1
    /// The maximum number of limits of an owner.
    public static let ownerLimitsLimit = 4
    public static let graceLimit = Duration.seconds(90 * 86_400)
    public static let defaultGrace = Duration.seconds(86_400)

    /// Returns the attributes in stored form. The rules apply to new and to unchanged attributes alike.
    package static func checked(_ raw: KeyAttributes) throws(AuthKeyError) -> KeyAttributes {
        var attributes = raw
        attributes.name = try name(raw.name)
        attributes.description = try description(raw.description)
        attributes.owner = try owner(raw.owner)
        attributes.scopes = try scopes(raw.scopes)
        try labels(raw.labels)
        try metadata(raw.metadata)
        attributes.allowedMethods = try list(
            raw.allowedMethods, param: "allowed_methods", takes: "HTTP methods such as GET"
        ) { MethodName.checked($0) }
        attributes.allowedPaths = try list(
            raw.allowedPaths, param: "allowed_paths", takes: "path patterns, which \(PathPattern.rule)"
        ) { PathPattern($0)?.text }
        attributes.allowedCIDRs = try list(
            raw.allowedCIDRs, param: "allowed_cidrs",
            takes: "networks such as 10.0.0.0/8 or 2001:db8::/32, or addresses"
        ) { IPNetwork($0)?.description }
        attributes.reportOnly = try list(
            raw.reportOnly, param: "report_only",
            takes: "names of rules: " + PolicyRule.allCases.map(\.rawValue).joined(separator: ", ")
                + ", or limits.NAME for one limit"
        ) { KeyPolicy.rule($0) == nil ? nil : $0 }
        try limits(raw.limits, upTo: LimitRule.countLimit)
        try plan(raw.plan)
        if let notBefore = raw.notBefore, let expiresAt = raw.expiresAt, notBefore >= expiresAt {
            throw .invalid(param: "not_before", message: "not_before must be before expires_at")
        }
        return attributes
    }

    static func name(_ raw: String) throws(AuthKeyError) -> String {
        let name = trim(raw)
        guard !name.isEmpty else { throw .invalid(param: "name", message: "name is required") }
        try check(name, param: "name", limit: nameLimit)
        return name
    }

    static func description(_ raw: String) throws(AuthKeyError) -> String {
        let description = trim(raw)
        try check(description, param: "description", limit: descriptionLimit, allowing: ["\n", "\r", "\t"])
        return description
    }

    /// Validates an owner (`OwnerPath`). An empty one is refused: it would read as no owner, and an admin key without
    /// an owner is unrestricted.
    package static func owner(_ raw: String?) throws(AuthKeyError) -> String? {
        guard let raw else { return nil }
        let owner = trim(raw)
        guard !owner.isEmpty else { throw .invalid(param: "owner", message: empty("owner")) }
        try check(owner, param: "owner", limit: OwnerPath.lengthLimit)
        let segments = owner.unicodeScalars.split(separator: "/", omittingEmptySubsequences: false)
        guard segments.count <= OwnerPath.segmentsLimit,
            segments.allSatisfy({ (1...OwnerPath.segmentLimit).contains($0.count) && !isBlank($0) })
        else {
            throw .invalid(
                param: "owner",
                message: "owner must be 1 to \(OwnerPath.segmentsLimit) segments of 1 to \(OwnerPath.segmentLimit) "
                    + "characters, separated by '/'; no segment begins or ends with a space")
        }
        guard owner.utf8.count <= OwnerPath.sizeLimit else {
            throw .invalid(param: "owner", message: "owner must be at most \(OwnerPath.sizeLimit) bytes of UTF-8")
        }
        // A filter reads it as a pattern.
        guard !owner.utf8.contains(UInt8(ascii: "*")) else {
            throw .invalid(param: "owner", message: "owner must not contain '*'")
        }
        return owner
    }

    /// Returns true if the text begins or ends with a space.
    private static func isBlank(_ segment: Substring.UnicodeScalarView) -> Bool {
        segment.first?.properties.isWhitespace == true || segment.last?.properties.isWhitespace == true
    }

    /// Returns the message about an empty value of a member that can be null.
    package static func empty(_ param: String) -> String { "\(param) must not be empty: null means none" }

    /// Validates scopes as scope tokens of RFC 6749 section 3.3, and removes duplicates.
    static func scopes(_ raw: [String]) throws(AuthKeyError) -> [String] {
        guard raw.count <= scopesLimit else {
            throw .invalid(param: "scopes", message: "scopes must be at most \(scopesLimit)")
        }
        var scopes: [String] = []
        for scope in raw {
            guard ScopePattern.isScope(scope) else {
                throw .invalid(
                    param: "scopes",
                    message:
                        "each of scopes must be 1 to \(ScopePattern.lengthLimit) visible ASCII characters without \" and \\"
                )
            }
            if !scopes.contains(scope) { scopes.append(scope) }
        }
        return scopes
    }

    /// Returns the entries of a list in stored form, without duplicates.
    private static func list(
        _ raw: [String], param: String, takes: String, _ checked: (String) -> String?
    ) throws(AuthKeyError) -> [String] {
        guard raw.count <= ruleLimit else {
            throw .invalid(param: param, message: "\(param) must be at most \(ruleLimit)")
        }
        var entries: [String] = []
        for text in raw {
            guard let entry = checked(text) else {
                throw .invalid(param: param, message: "\(param) takes \(takes)")
            }
            if !entries.contains(entry) { entries.append(entry) }
        }
        return entries
    }

    static func prefix(_ raw: String?) throws(AuthKeyError) -> TokenPrefix {
        guard let raw else { return .standard }
        guard let prefix = TokenPrefix(raw) else {
            throw .invalid(param: "prefix", message: "prefix must be \(TokenPrefix.rule)")
        }
        guard prefix != .admin else {
            throw .invalid(param: "prefix", message: "prefix must not be '\(prefix)', which is reserved for admin keys")
        }
        return prefix
    }

    static func expiry(
        _ expiresAt: Timestamp?, now: Timestamp, lifetimes: KeyLifetimes
    ) throws(AuthKeyError) {
        guard expiresAt.map({ $0 > now }) ?? true else {
            throw .invalid(param: "expires_at", message: "expires_at must be in the future")
        }
        if let longest = lifetimes.longest, expiresAt.map({ $0 > now.advanced(by: longest) }) ?? true {
            throw .invalid(
                param: "expires_at",
                message: "expires_at must be at most \(longest.components.seconds) seconds from now"
                    + (expiresAt == nil ? ": a key without an expiry is not allowed" : ""))
        }
    }

    static func grace(_ grace: Duration) throws(AuthKeyError) {
        guard grace >= .zero, grace <= graceLimit else {
            throw .invalid(
                param: "grace_seconds",
                message: "grace_seconds must be from 0 to \(graceLimit.components.seconds)")
        }
    }

    /// Validates labels. Names follow those of Kubernetes' labels, so that tools work with both.
    static func labels(_ labels: [String: String]) throws(AuthKeyError) {
        guard labels.count <= labelsLimit else {
            throw .invalid(param: "labels", message: "labels must be at most \(labelsLimit)")
        }
        for (label, value) in labels {
            guard (1...labelLimit).contains(label.utf8.count), label.utf8.allSatisfy(isLabelCharacter) else {
                throw .invalid(
                    param: "labels",
                    message: "names of labels must be 1 to \(labelLimit) letters, digits or any of - _ . /")
            }
            try check(value, param: "labels", limit: nameLimit)
        }
    }

    /// Validates a list of limits, each of which is valid by itself.
    static func limits(_ limits: [LimitRule], upTo count: Int) throws(AuthKeyError) {
        guard limits.count <= count else {
            throw .invalid(param: "limits", message: "limits must be at most \(count)")
        }
        guard Set(limits.map(\.name)).count == limits.count else {
            throw .invalid(param: "limits", message: "limits must have different names")
        }
    }

    /// Validates the name of a plan. The plan need not exist: until it does, it closes the keys that name it.
    static func plan(_ name: String?) throws(AuthKeyError) {
        guard name.map({ LimitRule.isName($0) }) ?? true else {
            throw .invalid(
                param: "plan", message: "plan must be 1 to \(LimitRule.nameLimit) characters of a-z, 0-9 and -")
        }
    }

    static func metadata(_ metadata: [String: JSONValue]) throws(AuthKeyError) {
        guard !JSONValue.object(metadata).isDeeper(than: metadataDepthLimit) else {
            throw .invalid(
                param: "metadata", message: "metadata must not be nested more than \(metadataDepthLimit) levels deep")
        }
        guard JSONValue.object(metadata).size <= metadataLimit else {
            throw .invalid(param: "metadata", message: "metadata must be at most \(metadataLimit) bytes of JSON")
        }
        guard !JSONValue.object(metadata).hasNUL else {
            throw .invalid(param: "metadata", message: "metadata must not contain NUL")
        }
    }

    /// Validates 1 to 255 visible ASCII characters.
    static func idempotencyKey(_ raw: String?) throws(AuthKeyError) {
        guard let raw else { return }
        guard (1...idempotencyKeyLimit).contains(raw.utf8.count), raw.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else {
            throw .invalid(
                param: "Idempotency-Key",
                message: "Idempotency-Key must be 1 to \(idempotencyKeyLimit) visible ASCII characters")
        }
    }

    private static func check(
        _ text: String, param: String, limit: Int, allowing allowed: Set<Unicode.Scalar> = []
    ) throws(AuthKeyError) {
        guard text.unicodeScalars.count <= limit else {
            throw .invalid(param: param, message: "\(param) must be at most \(limit) characters")
        }
        for scalar in text.unicodeScalars where isControl(scalar) && !allowed.contains(scalar) {
            throw .invalid(param: param, message: "\(param) must not contain control characters")
        }
    }

    private static func trim(_ text: String) -> String {
        let scalars = text.unicodeScalars
        guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
            let last = scalars.lastIndex(where: { !$0.properties.isWhitespace })
        else { return "" }
        return String(scalars[first...last])
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            || scalar.value == 0x2028 || scalar.value == 0x2029
    }

    private static func isLabelCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x2F, 0x5F: true
        default: false
        }
    }
}
