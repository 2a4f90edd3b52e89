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
    /// The units that the request took, until their cost is settled. Empty if costs are not settled.
    var reservation = LimitReservation()
    /// The cost of the request before it was sent.
    private(set) var cost: Int64 = 0

    mutating func clear() {
        lines.clear()
        refusal = nil
    }

    /// The index is locked during the call.
    /// - Parameter cost: the cost of the request, if it is settled later.
    @inline(__always)
    mutating func set(_ uses: LimitUses, isAdmitted: Bool, settling cost: Int64?, mode: LimitFieldMode) {
        if !uses.isEmpty { write(uses, isAdmitted: isAdmitted, settling: cost, mode: mode) }
    }

    private mutating func write(_ uses: LimitUses, isAdmitted: Bool, settling cost: Int64?, mode: LimitFieldMode) {
        if isAdmitted { ticket = uses.ticket } else { refusal = LimitRefusal(uses) }
        if isAdmitted, let cost {
            uses.reserve(in: &reservation)
            self.cost = cost
        }
        guard mode == .always || mode == .limited && !isAdmitted else { return }
        lines.writeWithUnsafeMutableBytes(minimumWritableBytes: LimitFields.size(of: uses)) {
            LimitFields.write(uses, to: $0)
        }
    }
}
