public import AuthKeys

/// The fields `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10): lists of Strings with
/// parameters (RFC 9651 sections 3.1 and 3.3.3). The names of limits need no escaping.
///
/// Limits that only report are left out, since clients need not observe them. So are credits, which are no quota policy
/// of the draft.
public enum LimitFields {
    private static let policyName = "RateLimit-Policy"
    private static let name = "RateLimit"

    /// The largest Integer (RFC 9651 section 3.3.1).
    private static let integerLimit: Int64 = 999_999_999_999_999
    /// The maximum number of bytes of both elements of a limit.
    private static let elementSize = 2 * LimitRule.nameLimit + 128
    /// The maximum number of bytes of names and line ends.
    private static let lineSize = 64

    /// Returns the memory that the lines of some limits need at most.
    public static func size(of uses: LimitUses) -> Int { uses.count * elementSize + lineSize }

    /// Writes complete field lines. Returns the number of bytes, which is 0 if no limit belongs into the fields.
    /// - Parameter memory: at least `size(of:)` bytes.
    public static func write(_ uses: LimitUses, to memory: UnsafeMutableRawBufferPointer) -> Int {
        var text = FieldText(memory)
        writeLine(uses, "RateLimit-Policy: ", asPolicy: true, to: &text)
        writeLine(uses, "RateLimit: ", asPolicy: false, to: &text)
        return text.count
    }

    private static func writeLine(
        _ uses: LimitUses, _ name: StaticString, asPolicy isPolicy: Bool, to text: inout FieldText
    ) {
        var start = name
        for position in 0..<uses.count where isShown(uses[position]) {
            text.append(start)
            start = ", "
            write(uses[position], asPolicy: isPolicy, to: &text)
        }
        if start.utf8CodeUnitCount == 2 { text.append("\r\n") }
    }

    /// Returns the names and values of both fields; none if no limit belongs into them.
    public static func fields(_ limits: [LimitStatus]) -> [(name: String, value: String)] {
        let policy = value(limits, asPolicy: true)
        return policy.isEmpty ? [] : [(policyName, policy), (name, value(limits, asPolicy: false))]
    }

    private static func value(_ limits: [LimitStatus], asPolicy isPolicy: Bool) -> String {
        let elements = limits.compactMap { limit in
            limit.withUse { use in
                guard isShown(use) else { return String?.none }
                return String(unsafeUninitializedCapacity: elementSize) { memory in
                    var text = FieldText(UnsafeMutableRawBufferPointer(memory))
                    write(use, asPolicy: isPolicy, to: &text)
                    return text.count
                }
            }
        }
        return elements.joined(separator: ", ")
    }

    private static func isShown(_ use: LimitUse) -> Bool {
        !use.isReportOnly && use.kind != .credits && use.name.count <= LimitRule.nameLimit
    }

    private static func write(_ use: LimitUse, asPolicy isPolicy: Bool, to text: inout FieldText) {
        text.append("\"")
        text.append(use.name)
        if isPolicy {
            text.append("\";q=")
            text.append(number(use.limit))
            if use.kind == .concurrent { text.append(";qu=\"concurrent-requests\"") }
            if let window = use.window {
                text.append(";w=")
                text.append(max(1, seconds(window)))
            }
        } else {
            text.append("\";r=")
            text.append(number(use.remaining))
            if let reset = use.reset {
                text.append(";t=")
                text.append(seconds(reset))
            }
        }
    }

    private static func number(_ value: Int64) -> Int64 { min(max(0, value), integerLimit) }

    private static func seconds(_ duration: Duration) -> Int64 { number(duration.wholeSeconds) }
}

extension Duration {
    /// The seconds, rounded up, so that no client retries too early.
    package var wholeSeconds: Int64 {
        let (seconds, rest) = components
        return rest > 0 ? seconds + 1 : seconds
    }
}

/// Text that is written into memory of sufficient size. What does not fit is cut.
private struct FieldText {
    private let memory: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(_ memory: UnsafeMutableRawBufferPointer) {
        self.memory = memory
    }

    mutating func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count <= memory.count - count else { return }
        UnsafeMutableRawBufferPointer(rebasing: memory[count...]).copyMemory(from: bytes)
        count += bytes.count
    }

    /// - Parameter number: not negative.
    mutating func append(_ number: Int64) {
        var digits: InlineArray<20, UInt8> = InlineArray(repeating: 0x30)
        var (start, rest) = (digits.count - 1, number)
        while rest >= 10 {
            digits[start] = UInt8(truncatingIfNeeded: 0x30 + rest % 10)
            rest /= 10
            start -= 1
        }
        digits[start] = UInt8(truncatingIfNeeded: 0x30 + rest)
        withUnsafeBytes(of: digits) { append(UnsafeRawBufferPointer(rebasing: $0[start...])) }
    }
}

/// The responses of limited keys that have the fields.
public enum LimitFieldMode: String, Sendable, CaseIterable {
    case always
    /// Responses to requests that a limit refuses.
    case limited
    case never
}

/// A refusal by a limit, as its response describes it.
public struct LimitRefusal: Sendable, Equatable {
    public let refusal: Refusal
    /// The name of the limit; empty for credits.
    public let name: String
    /// The value of `Retry-After`; nil if a retry does not help.
    public let retryAfter: Int?

    public init(refusal: Refusal, name: String, retryAfter: Int?) {
        self.refusal = refusal
        self.name = name
        self.retryAfter = retryAfter
    }

    /// Reads the refusal of a request; nil if no limit refuses it.
    public init?(_ uses: LimitUses) {
        guard let use = uses.refusing, let refusal = use.refusal else { return nil }
        let refusing = (0..<uses.count).lazy.map { uses[$0] }.filter { $0.refusal != nil && !$0.isReportOnly }
        self.init(
            refusal: refusal, name: use.kind == .credits ? "" : String(decoding: use.name, as: UTF8.self),
            retryAfter: Self.seconds(until: refusing.map { Self.wait($0.retryAfter, $0.kind) }))
    }

    public init?(_ limits: [LimitStatus]) {
        let refusing = limits.filter { $0.refusal != nil && !$0.isReportOnly }
        guard let limit = refusing.first, let refusal = limit.refusal else { return nil }
        self.init(
            refusal: refusal, name: limit.kind == .credits ? "" : limit.name,
            retryAfter: Self.seconds(until: refusing.map { Self.wait($0.retryAfter, $0.kind) }))
    }

    public var message: String { name.isEmpty ? refusal.message : "\(refusal.message): '\(name)'" }

    /// Returns the time until a limit has room; nil if no units come back. The end of a request that is under way is
    /// unknown.
    private static func wait(_ retryAfter: Duration?, _ kind: LimitUse.Kind) -> Duration? {
        retryAfter ?? (kind == .concurrent ? .seconds(1) : nil)
    }

    /// Returns the seconds until all limits have room; nil if one never has. The limiter has added up to a tenth at
    /// random, so that clients that were refused together do not return together.
    private static func seconds(until waits: some Sequence<Duration?>) -> Int? {
        var longest = Duration.zero
        for wait in waits {
            guard let wait else { return nil }
            longest = max(longest, wait)
        }
        return Int(min(max(1, longest.wholeSeconds), 999_999_999))
    }
}
