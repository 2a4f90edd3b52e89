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

    /// True if the body of a request that the gateway answers itself is incomplete.
    var awaitsOwnBody: Bool { !requestEnded && stage == .serving }

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
    mutating func begin(_ request: Request, _ decision: Decision, now: NIODeadline) -> RequestAction {
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
    mutating func fail(_ answer: Answer, now: NIODeadline) -> FailureAction? {
        request.persists = false
        headBegan = false
        switch stage {
        case .idle, .resolving, .serving, .connecting, .awaiting: return .reply(give(answer, now: now))
        case .responding, .tunneling:
            stage = .over
            return .abort
        case .lingering, .over: return nil
        }
    }

    /// Handles the result of the lookup of the credential.
    mutating func resolved(_ decision: Decision, now: NIODeadline) -> RequestAction? {
        stage == .resolving ? decide(decision, now: now) : nil
    }

    /// Handles a chunk of the request's body. Until the response begins, a body that trickles in does not restart the
    /// idle timeout with each chunk.
    mutating func requestPiece(bytes: Int, now: NIODeadline) -> DataAction {
        guard stage == .awaiting || stage == .responding else { return .discard }
        bodyBegan = true
        uploaded += bytes
        if stage == .responding || uploaded >= timeouts.uploadStride {
            uploaded = 0
            deadline = now + timeouts.idle
        }
        return .forward
    }

    /// Handles the end of the request's body.
    mutating func requestEnd(now: NIODeadline) -> DataAction {
        if stage == .serving {
            requestEnded = true
            return .forward
        }
        guard stage == .awaiting || stage == .responding else { return .discard }
        requestEnded = true
        // The end of a chunked body is sent too, even if the body is empty.
        bodyBegan = true
        deadline = now + (stage == .awaiting ? timeouts.responseHead : timeouts.idle)
        return .forward
    }

    /// Handles the close of the client's connection. Returns true if that ends an exchange.
    mutating func clientClosed() -> Bool {
        defer { stage = .over }
        switch stage {
        case .idle, .lingering, .over: return false
        case .resolving, .serving, .connecting, .awaiting, .responding, .tunneling: return true
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
        case .resolving, .serving, .connecting, .over: break
        }
    }

    // MARK: The upstream

    mutating func upstreamReady(isReused: Bool, now: NIODeadline) -> DataAction {
        guard stage == .connecting else { return .discard }
        stage = .awaiting
        self.isReused = isReused
        deadline = now + (requestEnded ? timeouts.responseHead : timeouts.idle)
        return .forward
    }

    /// Restarts the connect timeout: the group picked an upstream, which may be another one after a failure.
    mutating func upstreamPicked(now: NIODeadline) {
        if stage == .connecting { deadline = now + timeouts.connect }
    }

    mutating func upstreamFailed(_ answer: Answer, now: NIODeadline) -> Reply? {
        stage == .connecting ? give(answer, now: now) : nil
    }

    /// Handles an interim response (RFC 9110 section 15.2).
    mutating func interimHead(clientUnderstands: Bool, now: NIODeadline) -> DataAction {
        guard stage == .awaiting else { return .discard }
        deadline = now + (requestEnded ? timeouts.responseHead : timeouts.idle)
        return clientUnderstands ? .forward : .discard
    }

    /// Handles the head of the final response.
    /// - Parameter canDelimit: true if the client can find the end of the response without the end of the connection.
    mutating func responseHead(upstreamPersists: Bool, canDelimit: Bool, now: NIODeadline) -> DataAction {
        guard stage == .awaiting else { return .discard }
        stage = .responding
        self.upstreamPersists = upstreamPersists
        // After an early response, the rest of the request is not read.
        request.persists = persists && canDelimit && requestEnded
        deadline = now + timeouts.idle
        return .forward
    }

    mutating func responsePiece(now: NIODeadline) -> DataAction {
        guard stage == .responding else { return .discard }
        deadline = now + timeouts.idle
        return .forward
    }

    mutating func responseEnd(now: NIODeadline) -> Completion? {
        guard stage == .responding else { return nil }
        return Completion(
            keepsUpstream: requestEnded && upstreamPersists,
            then: conclude(keeping: requestEnded && request.persists, now: now))
    }

    /// Handles the end of the upstream's connection, or an invalid response.
    /// - Parameter isSilent: true if not a byte of a response arrived.
    mutating func upstreamLost(isSilent: Bool, now: NIODeadline) -> LossAction? {
        switch stage {
        case .awaiting where isReused && isSilent && request.isRepeatable && !bodyBegan && !wasRetried:
            wasRetried = true
            stage = .connecting
            deadline = now + timeouts.connect
            return .retry
        case .awaiting: return .reply(give(.upstreamReset, now: now))
        case .responding, .tunneling:
            stage = .over
            return .abort
        case .idle, .resolving, .serving, .connecting, .lingering, .over: return nil
        }
    }

    // MARK: A response of the gateway's own

    /// Handles the response that the gateway has prepared. Returns nil if the exchange no longer expects it.
    mutating func served(now: NIODeadline) -> Continuation? {
        guard stage == .serving else { return nil }
        return conclude(keeping: requestEnded && persists, now: now)
    }

    /// Handles the refusal of a request that the gateway answers itself.
    mutating func served(_ answer: Answer, now: NIODeadline) -> Reply? {
        stage == .serving ? give(answer, now: now) : nil
    }

    // MARK: A tunnel

    /// Handles the 101 response of an upstream that accepted the client's upgrade.
    mutating func switched(now: NIODeadline) -> DataAction {
        guard stage == .awaiting else { return .discard }
        stage = .tunneling
        deadline = now + timeouts.tunnelIdle
        return .forward
    }

    /// Handles bytes of a tunnel.
    mutating func tunnelPiece(now: NIODeadline) -> DataAction {
        guard stage == .tunneling else { return .discard }
        deadline = now + tunnelTimeout
        return .forward
    }

    /// Handles the end of one side's output in a tunnel. The other side may continue.
    mutating func tunnelEnded(_ side: Side, now: NIODeadline) -> TunnelAction? {
        guard stage == .tunneling, endedSide != side else { return nil }
        guard endedSide == nil else {
            linger(now: now)
            return .complete
        }
        endedSide = side
        deadline = now + tunnelTimeout
        return side == .client ? .endUpstream : .endClient
    }

    /// Handles the close of a tunnel's upstream connection in both directions. Further bytes of the client are lost.
    /// Returns true if that ends the exchange; the client's connection then lingers.
    mutating func tunnelClosed(now: NIODeadline) -> Bool {
        guard stage == .tunneling else { return false }
        linger(now: now)
        return true
    }

    /// A half-closed tunnel has the shorter idle timeout.
    private var tunnelTimeout: TimeAmount { endedSide == nil ? timeouts.tunnelIdle : timeouts.idle }

    // MARK: Time and end

    /// Ends the exchange, because the key of the request is no longer valid.
    mutating func keyEnded(_ answer: Answer, now: NIODeadline) -> CutAction? {
        switch stage {
        case .connecting, .awaiting: return .reply(give(answer, now: now))
        case .responding, .tunneling: return cut(now: now)
        // A rotation ends the secret that its response is about.
        case .idle, .resolving, .serving, .lingering, .over: return nil
        }
    }

    /// Ends the exchange in favour of others, because its client makes no progress.
    mutating func evict(now: NIODeadline) -> CutAction? {
        switch stage {
        case .awaiting: return .reply(give(.requestTimeout, now: now))
        case .responding, .tunneling: return cut(now: now)
        case .idle, .resolving, .serving, .connecting, .lingering, .over: return nil
        }
    }

    /// Handles a deadline that has passed.
    /// - Parameters:
    ///   - clientStalls: true if the client does not read or send.
    ///   - isHeldBack: true if the request waits for a connection because its key holds too many.
    mutating func expire(clientStalls: Bool, isHeldBack: Bool = false, now: NIODeadline) -> ExpiryAction? {
        guard now >= deadline else { return nil }
        switch stage {
        case .idle where headBegan: return .reply(give(.requestTimeout, now: now))
        case .resolving: return .reply(give(.verificationUnavailable, now: now))
        case .serving:
            return .reply(give(requestEnded ? .selfService(.unavailable) : .requestTimeout, now: now))
        case .connecting: return .reply(give(isHeldBack ? .tooManyConcurrent : .upstreamTimeout, now: now))
        case .awaiting:
            let blamesClient = !requestEnded && clientStalls
            return .reply(give(blamesClient ? .requestTimeout : .upstreamTimeout, now: now))
        case .idle, .lingering:
            stage = .over
            return .close
        case .responding, .tunneling:
            stage = .over
            return .abort
        case .over: return nil
        }
    }

    /// Starts the linger timeout. The output was sent and closed, and the client gets a moment to read it.
    mutating func outputClosed(now: NIODeadline) {
        guard stage == .lingering else { return }
        outputIsClosed = true
        deadline = now + timeouts.linger
    }

    /// Begins to drain: the current exchange may end, and no other begins. Returns true if the client's connection can
    /// close now, because there is none.
    mutating func drain() -> Bool {
        isDraining = true
        guard stage == .idle, !headBegan else { return false }
        stage = .over
        return true
    }

    private mutating func decide(_ decision: Decision, now: NIODeadline) -> RequestAction {
        switch decision {
        case .forward:
            stage = .connecting
            deadline = now + timeouts.connect
            return .acquireUpstream
        case .resolve:
            stage = .resolving
            deadline = now + timeouts.connect
            return .resolve
        case .serve:
            stage = .serving
            deadline = now + timeouts.serve
            return .serve
        case .answer(let answer): return .reply(give(answer, now: now))
        }
    }

    private mutating func give(_ answer: Answer, now: NIODeadline) -> Reply {
        let keeping = requestEnded && persists && !answer.row.losesFraming
        return Reply(answer: answer, then: conclude(keeping: keeping, now: now))
    }

    /// Aborts a response, or closes the WebSocket of a tunnel.
    private mutating func cut(now: NIODeadline) -> CutAction {
        guard stage == .tunneling else {
            stage = .over
            return .abort
        }
        linger(now: now)
        return .closeWebSocket
    }

    private mutating func conclude(keeping: Bool, now: NIODeadline) -> Continuation {
        guard keeping && !isDraining else {
            linger(now: now)
            return .linger
        }
        stage = .idle
        deadline = now + timeouts.keepAlive
        return .next
    }

    private mutating func linger(now: NIODeadline) {
        stage = .lingering
        outputIsClosed = false
        deadline = now + timeouts.idle
    }
}
