import AuthKeys
import HTTPCredentials
import Logging
import NIOCore
import NIOHTTP1
import RequestLog

/// The actions of `Exchange`, and the end of an exchange.
extension FrontConnection {
    func perform(_ action: Exchange.RequestAction) {
        switch action {
        case .acquireUpstream: record.group?.acquire(for: upstreamRequest, fresh: false)
        case .resolve: if let digest = record.digest { resolve(digest) }
        case .serve: serve()
        case .reply(let reply): send(reply)
        }
    }

    /// Refuses an invalid request.
    func fail(_ answer: Answer, now: NIODeadline) {
        switch exchange.fail(answer, now: now) {
        case .reply(let reply): send(reply)
        case .abort:
            record.end(.terminated, answer.row.error.code)
            abort()
        case nil: break
        }
    }

    /// Carries out a cut or an eviction.
    func cut(_ action: Exchange.CutAction?) {
        switch action {
        case .reply(let reply): send(reply)
        case .abort: abort()
        case .closeWebSocket: closeWebSocket()
        case nil: break
        }
        flush()
    }

    /// Sends a response of the gateway's own, and ends the exchange.
    func send(_ reply: Exchange.Reply) {
        // A request whose head was incomplete is not counted yet.
        if !record.isCounted { beginRecord(now: .now()) }
        let row = reply.answer.row
        record.status = Int(row.status.code)
        // A response to an exchange that was cut has its outcome already.
        if record.outcome == .allowed { record.end(RequestOutcome(refusalWithStatus: record.status), row.error.code) }
        let context = answerContext(persists: reply.then == .next)
        outlet.append { record.bytesOut += AnswerWriter.write(reply.answer, context: context, to: &$0) }
        endExchange()
        proceed(reply.then)
    }

    func answerContext(persists: Bool) -> AnswerWriter.Context {
        AnswerWriter.Context(
            id: record.id, isToHead: record.isToHead, hasOrigin: record.hasOrigin, version: record.version,
            persists: persists, limits: limits.lines,
            prefersProblem: record.hasHead && head.prefersProblem(in: headBytes), isPrivate: record.own != nil)
    }

    /// Ends an exchange whose response is complete.
    func complete(_ completion: Exchange.Completion) {
        if completion.keepsUpstream { releaseUpstream() } else { dropUpstream() }
        finish()
        proceed(completion.then)
    }

    /// Ends a tunnel whose sides have both ended. The upstream's connection sends the pending output on its own.
    func completeTunnel() {
        finish()
        upstream?.finish(within: loop.timeouts.idle)
        upstream = nil
        linger()
    }

    /// Ends the exchange, and resets the client's connection. Even a client that reads until the connection ends then
    /// sees that the response is incomplete.
    func abort() {
        endExchange()
        context?.channel.abort()
    }

    /// Ends a WebSocket with a status code (RFC 6455 section 7.4.1). Aborts if a frame is incomplete.
    private func closeWebSocket() {
        guard frames.isBetween, let context else { return abort() }
        endExchange()
        outlet.append(closeReason.frame, to: context)
        linger()
    }

    /// Closes the upstream connection, or stops waiting for one, and counts the exchange.
    func endExchange() {
        dropUpstream()
        finish()
    }

    func dropUpstream() {
        guard let connection = upstream else {
            record.group?.cancel(upstreamRequest)
            return
        }
        upstream = nil
        connection.close()
    }

    private func releaseUpstream() {
        let connection = upstream
        upstream = nil
        connection?.release()
    }

    func proceed(_ continuation: Exchange.Continuation) {
        switch continuation {
        case .next:
            process()
            readIfWanted()
        case .linger: linger()
        }
    }

    /// Flushes, ends the output, and keeps reading for a moment. Closing a connection with unread bytes would reset it,
    /// and the client might lose the response.
    func linger() {
        guard let context else { return }
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.assumeIsolated().whenComplete { _ in self.exchange.outputClosed(now: .now()) }
        endOutput(promise: sent)
        readIfWanted()
    }

    func endOutput(promise: EventLoopPromise<Void>?) {
        flush()
        context?.close(mode: .output, promise: promise)
    }

    /// Counts the exchange, and logs it.
    private func finish() {
        guard record.isCounted else { return }
        record.isCounted = false
        loop.shared.requestEnded()
        leaveAccount()
        if !limits.ticket.isEmpty { loop.gate.verifier.release(&limits.ticket) }
        if !limits.reservation.isEmpty { concludeCost() }
        let duration = (NIODeadline.now() - record.began).nanoseconds
        loop.metrics.request(status: record.status, nanoseconds: duration)
        if loop.keepsLog { writeLine(nanoseconds: duration) }
        guard loop.logsRequests else { return }
        loop.logger.debug(
            "request",
            metadata: [
                "request_id": "\(record.id)", "method": "\(record.method)", "status": .stringConvertible(record.status),
                "duration_us": .stringConvertible(duration / 1_000), "key_id": "\(record.keyID?.description ?? "-")",
            ])
    }
}
