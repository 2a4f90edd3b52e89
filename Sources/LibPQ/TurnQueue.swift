/// A queue for exclusive use of a resource: first come, first served.
struct TurnQueue {
    typealias Ticket = UInt64

    private(set) var holder: Ticket?
    private var waiting: [Ticket] = []

    /// Returns true if `ticket` has the turn at once; otherwise it waits.
    mutating func request(_ ticket: Ticket) -> Bool {
        guard holder != nil else {
            holder = ticket
            return true
        }
        waiting.append(ticket)
        return false
    }

    /// Removes `ticket` from the queue.
    mutating func withdraw(_ ticket: Ticket) {
        waiting.removeAll { $0 == ticket }
    }

    /// Ends the holder's turn; returns the next holder.
    mutating func release() -> Ticket? {
        holder = waiting.isEmpty ? nil : waiting.removeFirst()
        return holder
    }
}
