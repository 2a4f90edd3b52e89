/// Who may use something that serves one at a time: first come, first served.
struct TurnQueue {
    typealias Ticket = UInt64

    private(set) var holder: Ticket?
    private var waiting: [Ticket] = []

    /// Whether `ticket` has the turn at once; else it waits in line.
    mutating func request(_ ticket: Ticket) -> Bool {
        guard holder != nil else {
            holder = ticket
            return true
        }
        waiting.append(ticket)
        return false
    }

    /// Steps out of the line.
    mutating func withdraw(_ ticket: Ticket) {
        waiting.removeAll { $0 == ticket }
    }

    /// Ends the holder's turn; returns who has it now.
    mutating func release() -> Ticket? {
        holder = waiting.isEmpty ? nil : waiting.removeFirst()
        return holder
    }
}
