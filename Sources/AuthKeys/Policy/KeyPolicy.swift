/// The restrictions of a key beyond its state, as bytes that the index stores and verification reads in place. Empty
/// for a key without restrictions. Scopes are separate, because the request determines which ones are needed.
///
/// The bytes begin with two bit sets: the rules present and the report-only rules. The limits are next, if there are
/// any: the length of their part (two bytes), the plan (eight bytes, `PlanID`), and `LimitBytes`. Then follow the other
/// rules in order. A moment takes eight bytes. A list begins with a count. A network takes 18 bytes (version, length,
/// address); a text is a length of two bytes and the text.
public struct KeyPolicy: Sendable, Hashable {
    public static let none = KeyPolicy(bytes: [])

    let bytes: [UInt8]

    public var isEmpty: Bool { bytes.isEmpty }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Returns nil if a value is invalid for its rule.
    /// - Parameters:
    ///   - expiresAt: the key's own expiry, if it is report-only.
    ///   - plan: the name of the key's plan.
    ///   - hasCredits: true if requests spend credits of the key.
    public init?(
        expiresAt: Timestamp? = nil, notBefore: Timestamp? = nil, cidrs: [String] = [], methods: [String] = [],
        paths: [String] = [], limits: [LimitRule] = [], plan: String? = nil, hasCredits: Bool = false,
        reportOnly: [String] = []
    ) {
        let reporting = reportOnly.compactMap(Self.rule)
        let networks = cidrs.compactMap { IPNetwork($0) }
        guard reporting.count == reportOnly.count, networks.count == cidrs.count,
            paths.allSatisfy({ PathPattern($0)?.text == $0 }), methods.allSatisfy({ MethodName.checked($0) == $0 }),
            max(cidrs.count, methods.count, paths.count) < 256
        else { return nil }
        var rules: PolicyRules = []
        var body: [UInt8] = []
        if !limits.isEmpty || plan != nil {
            guard let part = Self.limitPart(limits, plan: plan, reportOnly: reportOnly) else { return nil }
            rules.insert(PolicyRules(.limits))
            body += part
        }
        if hasCredits { rules.insert(PolicyRules(.credits)) }
        for (rule, moment) in [(PolicyRule.expiresAt, expiresAt), (.notBefore, notBefore)] {
            guard let moment else { continue }
            rules.insert(PolicyRules(rule))
            withUnsafeBytes(of: moment.microseconds.littleEndian) { body += $0 }
        }
        if !networks.isEmpty {
            rules.insert(PolicyRules(.allowedCIDRs))
            body.append(UInt8(networks.count))
            for network in networks { network.append(to: &body) }
        }
        for (rule, texts) in [(PolicyRule.allowedMethods, methods), (.allowedPaths, paths)] where !texts.isEmpty {
            rules.insert(PolicyRules(rule))
            body.append(UInt8(texts.count))
            for text in texts {
                withUnsafeBytes(of: UInt16(text.utf8.count).littleEndian) { body += $0 }
                body += Array(text.utf8)
            }
        }
        // A single limit that reports has its own mark in `LimitBytes`.
        let reports = PolicyRules(zip(reporting, reportOnly).filter { $0.rawValue == $1 }.map { $0.0 })
        bytes = rules.isEmpty && reports.isEmpty ? [] : [rules.rawValue, reports.rawValue] + body
    }

    /// Returns the rule that a name in `report_only` concerns: that of a rule, or `limits.NAME`; nil for others.
    public static func rule(_ name: String) -> PolicyRule? {
        if let rule = PolicyRule(rawValue: name) { return rule }
        let prefix = "\(PolicyRule.limits.rawValue)."
        return name.hasPrefix(prefix) && LimitRule.isName(String(name.dropFirst(prefix.count))) ? .limits : nil
    }

    /// Returns the part of the limits; nil if the limits or the plan are invalid.
    private static func limitPart(_ limits: [LimitRule], plan: String?, reportOnly: [String]) -> [UInt8]? {
        guard limits.count <= LimitRule.countLimit, Set(limits.map(\.name)).count == limits.count else { return nil }
        var part: [UInt8] = []
        let id: UInt64
        if let plan {
            guard LimitRule.isName(plan) else { return nil }
            id = PlanID(plan).number
        } else {
            id = 0
        }
        withUnsafeBytes(of: id.littleEndian) { part += $0 }
        let reportsAll = reportOnly.contains(PolicyRule.limits.rawValue)
        LimitBytes.append(limits, to: &part) {
            reportsAll || reportOnly.contains("\(PolicyRule.limits.rawValue).\($0)")
        }
        guard let length = UInt16(exactly: part.count) else { return nil }
        return withUnsafeBytes(of: length.littleEndian) { Array($0) } + part
    }
}

/// A policy in place, in the memory of the index.
struct PolicyView {
    private let bytes: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// The report-only rules.
    var reportOnly: PolicyRules { bytes.count < 2 ? [] : PolicyRules(rawValue: bytes[1]) }

    /// True if requests spend credits of the key.
    var hasCredits: Bool { bytes.count >= 2 && PolicyRules(rawValue: bytes[0]).contains(.credits) }

    /// True if requests take units from limits or credits of the key.
    @inline(__always)
    var isLimited: Bool {
        bytes.count >= 2 && !PolicyRules(rawValue: bytes[0]).isDisjoint(with: [.init(.limits), .init(.credits)])
    }

    /// The plan of the key and its own limits, as `LimitBytes`; nil if it has neither.
    var limits: (plan: PlanID?, limits: UnsafeRawBufferPointer)? {
        guard bytes.count >= 2, PolicyRules(rawValue: bytes[0]).contains(.limits) else { return nil }
        let number = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt64.self))
        let limits = UnsafeRawBufferPointer(rebasing: bytes[12..<start(PolicyRules(rawValue: bytes[0]))])
        return (PlanID(number: number), limits)
    }

    /// Returns the offset of the rules after the limits.
    private func start(_ rules: PolicyRules) -> Int {
        guard rules.contains(.limits) else { return 2 }
        return 4 + Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
    }

    /// The moment of the `not_before` rule; nil if the policy lacks it.
    var notBefore: Timestamp? {
        guard bytes.count >= 2 else { return nil }
        let rules = PolicyRules(rawValue: bytes[0])
        guard rules.contains(PolicyRules(.notBefore)) else { return nil }
        var cursor = start(rules) + (rules.contains(PolicyRules(.expiresAt)) ? 8 : 0)
        return Timestamp(microseconds: moment(&cursor))
    }

    /// Evaluates the rules in order. `visit` receives each rule present and its result, and returns whether to
    /// continue.
    @inline(__always)
    func check(
        _ request: AccessRequest, scopes: UnsafeRawBufferPointer, at now: Timestamp,
        visit: (PolicyRule, Refusal?) -> Bool
    ) {
        let rules = bytes.count < 2 ? [] : PolicyRules(rawValue: bytes[0])
        var cursor = start(rules)
        if rules.contains(.expiresAt) {
            let moment = moment(&cursor)
            guard visit(.expiresAt, moment <= now.microseconds ? .expired : nil) else { return }
        }
        if rules.contains(.notBefore) {
            let moment = moment(&cursor)
            guard visit(.notBefore, moment > now.microseconds ? .notYetValid : nil) else { return }
        }
        if rules.contains(.allowedCIDRs) {
            let count = Int(bytes[cursor])
            cursor += 1
            let isIn = request.address.map { address in
                (0..<count).contains { number in
                    IPNetwork.contains(address, at: bytes, cursor + number * IPNetwork.encodedSize)
                }
            }
            cursor += count * IPNetwork.encodedSize
            guard visit(.allowedCIDRs, isIn == true ? nil : .ipNotAllowed) else { return }
        }
        if request.concernsKey { return }
        if rules.contains(.allowedMethods) {
            let isIn = anyText(&cursor) { MethodName.covers($0, request.method) }
            guard visit(.allowedMethods, isIn ? nil : .methodNotAllowed) else { return }
        }
        if rules.contains(.allowedPaths) {
            var refusal: Refusal? = .pathAmbiguous
            if let path = PathPattern.unambiguous(request.path) {
                let isIn = !request.path.isEmpty && anyText(&cursor) { PathPattern.matches($0, path) }
                refusal = isIn ? nil : .pathNotAllowed
            }
            guard visit(.allowedPaths, refusal) else { return }
        }
        if !request.scopes.isEmpty {
            let hasAll = request.scopes.scopes.allSatisfy { ScopePattern.covers(scopes, $0) }
            _ = visit(.scopes, hasAll ? nil : .scopeMissing)
        }
    }

    private func moment(_ cursor: inout Int) -> Int64 {
        defer { cursor += 8 }
        return Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: cursor, as: Int64.self))
    }

    /// Returns true if one of the texts at the cursor matches, and moves the cursor past them.
    private func anyText(_ cursor: inout Int, _ fits: (UnsafeRawBufferPointer) -> Bool) -> Bool {
        let count = bytes[cursor]
        cursor += 1
        var isAny = false
        for _ in 0..<count {
            let length = Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: cursor, as: UInt16.self)))
            let text = UnsafeRawBufferPointer(rebasing: bytes[cursor + 2..<cursor + 2 + length])
            isAny = isAny || fits(text)
            cursor += 2 + length
        }
        return isAny
    }
}
