import AuthKeys
import HTTPCredentials
import NIOCore

/// The fields about the limits of a request's key, for its response. The memory is reused.
struct LimitBuffer {
    /// Complete field lines.
    private(set) var lines = ByteBuffer()
    /// The refusal by a limit.
    private(set) var refusal: LimitRefusal?
    /// The slots that the request holds until it ends.
    var ticket = LimitTicket()

    mutating func clear() {
        lines.clear()
        refusal = nil
    }

    /// The index is locked during the call.
    @inline(__always)
    mutating func set(_ uses: LimitUses, isAdmitted: Bool, mode: LimitFieldMode) {
        if !uses.isEmpty { write(uses, isAdmitted: isAdmitted, mode: mode) }
    }

    private mutating func write(_ uses: LimitUses, isAdmitted: Bool, mode: LimitFieldMode) {
        if isAdmitted { ticket = uses.ticket } else { refusal = LimitRefusal(uses) }
        guard mode == .always || mode == .limited && !isAdmitted else { return }
        lines.writeWithUnsafeMutableBytes(minimumWritableBytes: LimitFields.size(of: uses)) {
            LimitFields.write(uses, to: $0)
        }
    }
}
