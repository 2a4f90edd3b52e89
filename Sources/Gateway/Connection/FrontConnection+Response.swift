import AuthKeys
import Logging
import NIOCore
import NIOHTTP1

/// Forwarding of a response to the client, and the end of an exchange.
extension FrontConnection {
    func interimHead(_ head: borrowing ResponseHead, bytes: ByteBuffer) {
        let step = exchange.interimHead(clientUnderstands: record.version == .http11, now: .now())
        guard step.actions.contains(.forward) else { return }
        write(head, bytes: bytes, delimiter: .itself, persists: nil)
    }

    func responseHead(_ head: borrowing ResponseHead, bytes: ByteBuffer) {
        delimiter = ResponseRewriter.delimiter(head.framing, for: record.version)
        let step = exchange.responseHead(
            upstreamPersists: head.persists, canDelimit: delimiter != .close, now: .now())
        guard step.actions.contains(.forward) else { return }
        record.status = head.status
        write(head, bytes: bytes, delimiter: delimiter, persists: exchange.persists)
    }

    func responsePiece(_ piece: ByteBuffer) {
        guard let context, exchange.responsePiece(now: .now()).actions.contains(.forward) else { return }
        if delimiter == .chunks { outlet.appendChunk(piece, to: context) } else { outlet.append(piece, to: context) }
    }

    func responseEnd(trailers: ByteBuffer = ByteBuffer()) {
        let step = exchange.responseEnd(now: .now())
        if step.actions.contains(.forward), delimiter == .chunks { outlet.appendLastChunk(trailers: trailers) }
        perform(step)
        flush()
    }

    // MARK: A tunnel

    func switched(_ head: borrowing ResponseHead, bytes: ByteBuffer) {
        guard exchange.switched(now: .now()).actions.contains(.forward) else { return }
        record.status = head.status
        frames = WebSocketFrames()
        write(head, bytes: bytes, delimiter: .itself, persists: nil)
        process()
        readIfWanted()
    }

    func tunnelPiece(_ piece: ByteBuffer) {
        guard let context, exchange.tunnelPiece(now: .now()).actions.contains(.forward) else { return }
        frames.follow(piece.readableBytesView)
        outlet.append(piece, to: context)
    }

    func tunnelEnded(_ side: Exchange.Side) {
        perform(exchange.tunnelEnded(side, now: .now()))
        flush()
    }

    func tunnelClosed() {
        perform(exchange.tunnelClosed(now: .now()))
        flush()
    }

    // MARK: The end

    /// Handles an upstream connection that ended before its response.
    func upstreamLost(isSilent: Bool, cause: UpstreamCause) {
        let wasResponding = exchange.stage == .responding
        let step = exchange.upstreamLost(isSilent: isSilent, now: .now())
        if step.actions.contains(.finish) { loop.noteFailure(wasResponding ? .aborted : .reset, cause, of: record) }
        perform(step)
        flush()
    }

    /// Carries out the actions of a step, in the order below. The caller, which holds the bytes, handles `forward`.
    func perform(_ step: Exchange.Step) {
        let actions = step.actions
        if let answer = step.answer { write(answer, persists: !actions.contains(.linger)) }
        if actions.contains(.dropUpstream) { dropUpstream() }
        if actions.contains(.releaseUpstream) { releaseUpstream() }
        if actions.contains(.finish) { finish() }
        if actions.contains(.acquireUpstream) { record.group?.acquire(for: self, fresh: false) }
        if actions.contains(.acquireFreshUpstream) { record.group?.acquire(for: self, fresh: true) }
        if actions.contains(.resolve), let digest = record.digest { resolve(digest) }
        if actions.contains(.endUpstream) { endUpstream() }
        if actions.contains(.endClient) { endOutput(promise: nil) }
        if actions.contains(.next) {
            process()
            readIfWanted()
        }
        if actions.contains(.linger) { linger() }
        if actions.contains(.close) { context?.close(promise: nil) }
        if actions.contains(.abort) { abort() }
        if actions.contains(.dismiss) { dismiss() }
    }

    private func write(
        _ head: borrowing ResponseHead, bytes: ByteBuffer, delimiter: ResponseRewriter.Delimiter, persists: Bool?
    ) {
        outlet.append { out in
            bytes.withUnsafeReadableBytes { bytes in
                ResponseRewriter.write(
                    head, bytes: bytes, id: record.id, version: record.version, delimiter: delimiter,
                    persists: persists,
                    to: &out)
            }
        }
    }

    private func write(_ answer: Answer, persists: Bool) {
        // A request whose head was incomplete is not counted yet.
        if !record.isCounted { beginRecord(now: .now()) }
        record.status = Int(answer.row.status.code)
        let context = AnswerWriter.Context(
            id: record.id, isToHead: record.isToHead, hasOrigin: record.hasOrigin, version: record.version,
            persists: persists)
        outlet.append { AnswerWriter.write(answer, context: context, to: &$0) }
    }

    private func dropUpstream() {
        guard let connection = upstream else {
            record.group?.cancel(self)
            return
        }
        upstream = nil
        connection.close()
    }

    /// Ends the output of a tunnel to the upstream. If the tunnel is over, the upstream's connection sends the rest on
    /// its own.
    private func endUpstream() {
        guard exchange.stage == .lingering else {
            upstream?.endOutput()
            return
        }
        upstream?.finish(within: loop.timeouts.idle)
        upstream = nil
    }

    private func releaseUpstream() {
        let connection = upstream
        upstream = nil
        connection?.release()
    }

    /// Flushes, ends the output, and keeps reading for a moment. Closing a connection with unread bytes would reset it,
    /// and the client might lose the response.
    private func linger() {
        guard let context else { return }
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.assumeIsolated().whenComplete { _ in self.exchange.outputClosed(now: .now()) }
        endOutput(promise: sent)
        readIfWanted()
    }

    private func endOutput(promise: EventLoopPromise<Void>?) {
        flush()
        context?.close(mode: .output, promise: promise)
    }

    /// Ends a WebSocket with a status code (RFC 6455 section 7.4.1). Aborts the connection if a frame is incomplete.
    private func dismiss() {
        guard frames.isBetween, let context else { return abort() }
        outlet.append(dismissal.frame, to: context)
        linger()
    }

    private func finish() {
        guard record.isCounted else { return }
        record.isCounted = false
        loop.shared.requestEnded()
        leaveAccount()
        if context == nil { record.status = 499 }
        let duration = (NIODeadline.now() - record.began).nanoseconds
        loop.metrics.request(status: record.status, nanoseconds: duration)
        guard loop.logsRequests else { return }
        loop.logger.debug(
            "request",
            metadata: [
                "request_id": "\(record.id)", "method": "\(record.method)", "status": .stringConvertible(record.status),
                "duration_us": .stringConvertible(duration / 1_000), "key_id": "\(record.keyID?.description ?? "-")",
            ])
    }
}
