import CLibPQ
import Dispatch

extension PostgresConnection {
    /// Waits until this call has exclusive use of the connection, or of the wire. Each success needs an `endTurn`.
    func acquireTurn(_ lane: Turns.Lane, _ deadline: Deadline) async throws(PostgresError) {
        guard !isClosed else { throw .closed() }
        if deadline.heedsCancellation, Task.isCancelled { throw PostgresError(.cancelled, nothingWasSent: true) }
        if deadline.isOver { throw PostgresError(.timeout, detail: "waiting for a turn", nothingWasSent: true) }
        let ticket = waits.newTicket(until: deadline.instant)
        if turns[lane].request(ticket) {
            waits.discard(ticket)
        } else {
            switch await suspend(ticket, deadline) {
            case .granted, .ready: break
            case .deadline: throw PostgresError(.timeout, detail: "waiting for a turn", nothingWasSent: true)
            case .cancelled: throw PostgresError(.cancelled, nothingWasSent: true)
            case .closed: throw .closed()
            }
        }
        if lane == .ownership { ownershipChanged() }
    }

    func endTurn(_ lane: Turns.Lane) {
        if let next = turns[lane].release() { wake(next, .granted) }
        if lane == .ownership { ownershipChanged() }
    }

    /// Waits for the socket once and reads the available input. When the deadline passes first, the statement is
    /// cancelled, and the caller reads to the end of its result. The second time, the connection is closed.
    func progress(_ deadline: inout Deadline, write: Bool = false) async throws(PostgresError) {
        guard let session else { throw deadline.interruption ?? PostgresError(.connectionLost) }
        let wake: Wake
        if let reason = deadline.reasonToEnd {
            wake = reason == .cancelled ? .cancelled : .deadline
        } else if session.watch.isReady(read: true, write: write) {
            wake = .ready
        } else {
            if write { session.watch.notifyWhenWritable() }
            wake = await waitForSocket(deadline)
        }
        switch wake {
        case .ready, .granted:
            deadline.progressed()
            try readInput()
        case .deadline: try interrupt(&deadline, PostgresError(.timeout))
        case .cancelled: try interrupt(&deadline, PostgresError(.cancelled))
        case .closed: throw deadline.interruption ?? PostgresError(.connectionLost)
        }
    }

    func waitForSocket(_ deadline: Deadline) async -> Wake {
        if hasMissedEvent {
            hasMissedEvent = false
            return .ready
        }
        let ticket = waits.newTicket(until: deadline.instant)
        waits.socketWait = ticket
        return await suspend(ticket, deadline)
    }

    /// Asks the server to cancel the statement. The second time, closes the connection.
    func interrupt(_ deadline: inout Deadline, _ error: PostgresError) throws(PostgresError) {
        if let earlier = deadline.interruption {
            shutDown()
            throw earlier
        }
        deadline.interrupt(error)
        guard let session else { throw error }
        isCancelUnderWay = session.cancelRequest.send {
            self.executor.queue.async { self.assumeIsolated { $0.cancelArrived() } }
        }
    }

    private func cancelArrived() {
        isCancelUnderWay = false
        socketEvent()
    }

    private func readInput() throws(PostgresError) {
        guard let session else { throw PostgresError(.connectionLost) }
        guard session.consumeInput() else {
            let error = session.finalError()
            shutDown()
            throw error
        }
        deliverNotifications(of: session)
    }

    /// Handles a socket that is readable or writable. If no call waits for it, the input is a notification or the end
    /// of the connection.
    func socketEvent() {
        if let ticket = waits.socketWait {
            wake(ticket, .ready)
            return
        }
        hasMissedEvent = true
        guard let session else { return }
        if session.consumeInput() {
            deliverNotifications(of: session)
        } else {
            shutDown()
        }
    }
}

extension PostgresConnection {
    private func suspend(_ ticket: WaitTable.Ticket, _ deadline: Deadline) async -> Wake {
        setTimer(for: deadline.instant)
        guard deadline.heedsCancellation else { return await suspended(ticket) }
        return await withTaskCancellationHandler {
            await suspended(ticket)
        } onCancel: {
            executor.queue.async { self.assumeIsolated { $0.wake(ticket, .cancelled) } }
        }
    }

    private func suspended(_ ticket: WaitTable.Ticket) async -> Wake {
        await withCheckedContinuation { continuation in
            if let wake = waits.suspend(ticket, continuation) { continuation.resume(returning: wake) }
        }
    }

    private func wake(_ ticket: WaitTable.Ticket, _ wake: Wake) {
        // Withdrawn in the same step; otherwise a turn could be granted to a call that has given up.
        if wake != .granted { turns.withdraw(ticket) }
        waits.wake(ticket, wake)?.resume(returning: wake)
    }

    func wakeAll(_ reason: Wake) {
        for ticket in waits.tickets { wake(ticket, reason) }
    }

    private func setTimer(for deadline: ContinuousClock.Instant) {
        guard let instant = waits.timerToSet(for: deadline) else { return }
        executor.queue.asyncAfter(deadline: DispatchTime(instant)) { [weak self] in
            self?.assumeIsolated { $0.timerFired(instant) }
        }
    }

    private func timerFired(_ instant: ContinuousClock.Instant) {
        guard waits.timerFired(instant) else { return }
        for ticket in waits.overdue(at: .now) { wake(ticket, .deadline) }
        if let next = waits.earliestDeadline { setTimer(for: next) }
    }
}
