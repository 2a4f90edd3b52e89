import NIOCore

/// A state machine of the requests of one client connection: events in, actions out.
///
/// It knows no socket and no bytes. The shell reports events, holds the bytes that an event is about, and carries out
/// the returned actions. The caller passes the time.
struct Exchange {
    private(set) var stage = Stage.idle
    /// The time at which `expire` has to be called.
    private(set) var deadline: NIODeadline
    /// True if, as far as is known, the client may send another request after this response.
    var persists: Bool { request.persists && !isDraining }

    /// True if more of the request's body may be passed on.
    var awaitsBody: Bool { !requestEnded && (stage == .awaiting || stage == .responding) }

    /// The time of the last progress, in the stages that use the idle timeout.
    var lastProgress: NIODeadline { deadline - timeouts.idle }
    /// The time of the last progress of a tunnel.
    var lastTunnelProgress: NIODeadline { deadline - tunnelTimeout }

    private let timeouts: Timeouts
    private var request = Request(hasBody: false, persists: true, isRepeatable: false)
    private var headBegan = false
    private var requestEnded = true
    private var bodyBegan = false
    private var isReused = false
    private var wasRetried = false
    private var upstreamPersists = false
    private var isDraining = false
    /// Bytes of the request's body since the idle timeout last started.
    private var uploaded = 0
    /// True if all output before lingering was sent.
    private var outputIsClosed = false
    /// The side of a tunnel that has ended its output.
    private var endedSide: Side?

    init(timeouts: Timeouts, now: NIODeadline) {
        self.timeouts = timeouts
        deadline = now + timeouts.keepAlive
    }

    // MARK: The client

    /// Handles the first bytes of an incomplete head.
    mutating func headIsComing(now: NIODeadline) {
        guard stage == .idle, !headBegan else { return }
        headBegan = true
        deadline = now + timeouts.requestHead
    }

    /// Handles a request head and the gate's decision about it.
    mutating func begin(_ request: Request, _ decision: Decision, now: NIODeadline) -> Step {
        self.request = request
        headBegan = false
        requestEnded = !request.hasBody
        bodyBegan = false
        wasRetried = false
        endedSide = nil
        uploaded = 0
        return decide(decision, now: now)
    }

    /// Handles bytes that are not a valid request.
    mutating func fail(_ answer: Answer, now: NIODeadline) -> Step {
        request.persists = false
        headBegan = false
        switch stage {
        case .idle, .resolving, .connecting, .awaiting: return give(answer, now: now)
        case .responding, .tunneling: return abort()
        case .lingering, .over: return Step()
        }
    }

    /// Handles the result of the lookup of the credential.
    mutating func resolved(_ decision: Decision, now: NIODeadline) -> Step {
        stage == .resolving ? decide(decision, now: now) : Step()
    }

    /// Handles a chunk of the request's body. Until the response begins, a body that trickles in does not restart the
    /// idle timeout with each chunk.
    mutating func requestPiece(bytes: Int, now: NIODeadline) -> Step {
        guard stage == .awaiting || stage == .responding else { return Step() }
        bodyBegan = true
        uploaded += bytes
        if stage == .responding || uploaded >= timeouts.uploadStride {
            uploaded = 0
            deadline = now + timeouts.idle
        }
        return Step(actions: .forward)
    }

    /// Handles the end of the request's body.
    mutating func requestEnd(now: NIODeadline) -> Step {
        guard stage == .awaiting || stage == .responding else { return Step() }
        requestEnded = true
        // The end of a chunked body is sent too, even if the body is empty.
        bodyBegan = true
        deadline = now + (stage == .awaiting ? timeouts.responseHead : timeouts.idle)
        return Step(actions: .forward)
    }

    /// Handles the close of the client's connection.
    mutating func clientClosed() -> Step {
        defer { stage = .over }
        switch stage {
        case .idle, .lingering, .over: return Step()
        case .resolving: return Step(actions: .finish)
        case .connecting, .awaiting, .responding, .tunneling: return Step(actions: [.dropUpstream, .finish])
        }
    }

    /// Restarts the timeout after bytes were sent in either direction. While lingering, the client still reads the last
    /// response.
    mutating func progressed(now: NIODeadline) {
        switch stage {
        case .responding: deadline = now + timeouts.idle
        case .awaiting: if !requestEnded { deadline = now + timeouts.idle }
        case .tunneling: deadline = now + tunnelTimeout
        case .idle: if !headBegan { deadline = now + timeouts.keepAlive }
        case .lingering: if !outputIsClosed { deadline = now + timeouts.idle }
        case .resolving, .connecting, .over: break
        }
    }

    // MARK: The upstream

    mutating func upstreamReady(isReused: Bool, now: NIODeadline) -> Step {
        guard stage == .connecting else { return Step() }
        stage = .awaiting
        self.isReused = isReused
        deadline = now + (requestEnded ? timeouts.responseHead : timeouts.idle)
        return Step(actions: .forward)
    }

    /// Restarts the connect timeout: the connection could not be opened, and the pool tries another upstream.
    mutating func upstreamChanged(now: NIODeadline) {
        if stage == .connecting { deadline = now + timeouts.connect }
    }

    mutating func upstreamFailed(_ answer: Answer, now: NIODeadline) -> Step {
        stage == .connecting ? give(answer, now: now) : Step()
    }

    /// Handles an interim response (RFC 9110 section 15.2).
    mutating func interimHead(clientUnderstands: Bool, now: NIODeadline) -> Step {
        guard stage == .awaiting else { return Step() }
        deadline = now + (requestEnded ? timeouts.responseHead : timeouts.idle)
        return clientUnderstands ? Step(actions: .forward) : Step()
    }

    /// Handles the head of the final response.
    /// - Parameter canDelimit: true if the client can find the end of the response without the end of the connection.
    mutating func responseHead(upstreamPersists: Bool, canDelimit: Bool, now: NIODeadline) -> Step {
        guard stage == .awaiting else { return Step() }
        stage = .responding
        self.upstreamPersists = upstreamPersists
        // After an early response, the rest of the request is not read.
        request.persists = persists && canDelimit && requestEnded
        deadline = now + timeouts.idle
        return Step(actions: .forward)
    }

    mutating func responsePiece(now: NIODeadline) -> Step {
        guard stage == .responding else { return Step() }
        deadline = now + timeouts.idle
        return Step(actions: .forward)
    }

    mutating func responseEnd(now: NIODeadline) -> Step {
        guard stage == .responding else { return Step() }
        var step = Step(actions: [.forward, .finish])
        step.actions.insert(requestEnded && upstreamPersists ? .releaseUpstream : .dropUpstream)
        step.actions.insert(conclude(keeping: requestEnded && request.persists, now: now))
        return step
    }

    /// Handles the end of the upstream's connection, or an invalid response.
    /// - Parameter isSilent: true if not a byte of a response arrived.
    mutating func upstreamLost(isSilent: Bool, now: NIODeadline) -> Step {
        switch stage {
        case .awaiting where isReused && isSilent && request.isRepeatable && !bodyBegan && !wasRetried:
            wasRetried = true
            stage = .connecting
            deadline = now + timeouts.connect
            return Step(actions: [.dropUpstream, .acquireFreshUpstream])
        case .awaiting: return give(.upstreamReset, now: now)
        case .responding, .tunneling: return abort()
        case .idle, .resolving, .connecting, .lingering, .over: return Step()
        }
    }

    // MARK: A tunnel

    /// Handles the 101 response of an upstream that accepted the client's upgrade.
    mutating func switched(now: NIODeadline) -> Step {
        guard stage == .awaiting else { return Step() }
        stage = .tunneling
        deadline = now + timeouts.tunnelIdle
        return Step(actions: .forward)
    }

    /// Handles bytes of a tunnel.
    mutating func tunnelPiece(now: NIODeadline) -> Step {
        guard stage == .tunneling else { return Step() }
        deadline = now + tunnelTimeout
        return Step(actions: .forward)
    }

    /// Handles the end of one side's output in a tunnel. The other side may continue.
    mutating func tunnelEnded(_ side: Side, now: NIODeadline) -> Step {
        guard stage == .tunneling, endedSide != side else { return Step() }
        guard endedSide == nil else {
            return Step(actions: [.endUpstream, .finish, conclude(keeping: false, now: now)])
        }
        endedSide = side
        deadline = now + tunnelTimeout
        return Step(actions: side == .client ? .endUpstream : .endClient)
    }

    /// Handles the close of a tunnel's upstream connection in both directions. Further bytes of the client are lost.
    mutating func tunnelClosed(now: NIODeadline) -> Step {
        guard stage == .tunneling else { return Step() }
        return Step(actions: [.dropUpstream, .finish, conclude(keeping: false, now: now)])
    }

    /// A half-closed tunnel has the shorter idle timeout.
    private var tunnelTimeout: TimeAmount { endedSide == nil ? timeouts.tunnelIdle : timeouts.idle }

    // MARK: Time and end

    /// Ends the exchange, because the key of the request is no longer valid.
    mutating func keyEnded(_ answer: Answer, now: NIODeadline) -> Step {
        switch stage {
        case .connecting, .awaiting: return give(answer, now: now)
        case .responding: return abort()
        case .tunneling:
            _ = conclude(keeping: false, now: now)
            return Step(actions: [.dropUpstream, .finish, .dismiss])
        case .idle, .resolving, .lingering, .over: return Step()
        }
    }

    /// Ends the exchange in favour of others, because its client makes no progress.
    mutating func evict(now: NIODeadline) -> Step {
        switch stage {
        case .awaiting: return fail(.requestTimeout, now: now)
        case .responding: return abort()
        case .tunneling:
            _ = conclude(keeping: false, now: now)
            return Step(actions: [.dropUpstream, .finish, .dismiss])
        case .idle, .resolving, .connecting, .lingering, .over: return Step()
        }
    }

    /// Handles a deadline that has passed.
    /// - Parameters:
    ///   - clientStalls: true if the client does not read or send.
    ///   - isHeldBack: true if the request waits for a connection because its key holds too many.
    mutating func expire(clientStalls: Bool, isHeldBack: Bool = false, now: NIODeadline) -> Step {
        guard now >= deadline else { return Step() }
        switch stage {
        case .idle:
            if headBegan { return fail(.requestTimeout, now: now) }
            stage = .over
            return Step(actions: .close)
        case .resolving: return give(.verificationUnavailable, now: now)
        case .connecting: return give(isHeldBack ? .tooManyConcurrent : .upstreamTimeout, now: now)
        case .awaiting:
            guard !requestEnded && clientStalls else { return give(.upstreamTimeout, now: now) }
            return fail(.requestTimeout, now: now)
        case .responding, .tunneling: return abort()
        case .lingering:
            stage = .over
            return Step(actions: .close)
        case .over: return Step()
        }
    }

    /// Starts the linger timeout. The output was sent and closed, and the client gets a moment to read it.
    mutating func outputClosed(now: NIODeadline) {
        guard stage == .lingering else { return }
        outputIsClosed = true
        deadline = now + timeouts.linger
    }

    /// Begins to drain: the current exchange may end, and no other begins.
    mutating func drain() -> Step {
        isDraining = true
        guard stage == .idle, !headBegan else { return Step() }
        stage = .over
        return Step(actions: .close)
    }

    private mutating func decide(_ decision: Decision, now: NIODeadline) -> Step {
        switch decision {
        case .forward:
            stage = .connecting
            deadline = now + timeouts.connect
            return Step(actions: .acquireUpstream)
        case .resolve:
            stage = .resolving
            deadline = now + timeouts.connect
            return Step(actions: .resolve)
        case .answer(let answer):
            return give(answer, now: now)
        }
    }

    private mutating func give(_ answer: Answer, now: NIODeadline) -> Step {
        var step = Step(actions: [.answer, .finish], answer: answer)
        if stage == .connecting || stage == .awaiting { step.actions.insert(.dropUpstream) }
        step.actions.insert(conclude(keeping: requestEnded && persists && !answer.row.losesFraming, now: now))
        return step
    }

    private mutating func conclude(keeping: Bool, now: NIODeadline) -> Actions {
        stage = keeping && !isDraining ? .idle : .lingering
        outputIsClosed = false
        deadline = now + (stage == .idle ? timeouts.keepAlive : timeouts.idle)
        return stage == .idle ? .next : .linger
    }

    private mutating func abort() -> Step {
        stage = .over
        return Step(actions: [.dropUpstream, .finish, .abort])
    }
}
